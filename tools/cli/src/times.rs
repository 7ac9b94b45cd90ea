//! Spans of time as people write them: `10s`, `500ms`, `2min`, `1h`.

use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("min", 60_000), ("s", 1_000), ("h", 3_600_000)];
/// The longest span: a day.
const MILLISECONDS_MAX: u64 = 24 * 3_600_000;

/// Reads a span of time; for clap.
pub fn parse(text: &str) -> Result<Duration, String> {
    let told = || "a time is a whole number with a unit, like 10s, 500ms, 2min or 1h".to_owned();
    let text = text.trim();
    let unit = UNITS.iter().find_map(|&(unit, ms)| text.strip_suffix(unit).map(|n| (n, ms)));
    let (digits, unit_ms) = unit.ok_or_else(told)?;
    let digits = digits.trim_end();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(told());
    }
    let milliseconds = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit_ms));
    match milliseconds {
        Some(1..=MILLISECONDS_MAX) => Ok(Duration::from_millis(milliseconds.unwrap_or_default())),
        _ => Err("a time is at least 1ms and at most a day".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_apart() {
        let times = [("500ms", 500), ("10s", 10_000), ("2min", 120_000), ("1 h", 3_600_000)];
        for (text, milliseconds) in times {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "10", "s", "0s", "-1s", "1.5s", "25h", "1d", "99999999999999999999s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
