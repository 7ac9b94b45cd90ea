//! Spans of time as people write them: `10s`, `500ms`, `2min`, `1h`.

use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("min", 60_000), ("s", 1_000), ("h", 3_600_000)];
/// The longest span: a day.
const MILLISECONDS_MAX: u64 = 24 * 3_600_000;

/// Reads a span of time; for clap.
pub fn parse(text: &str) -> Result<Duration, String> {
    let told = "a time is a whole number with a unit, like 10s, 500ms, 2min or 1h";
    match milliseconds(text, &UNITS).ok_or(told)? {
        Some(span @ 1..=MILLISECONDS_MAX) => Ok(Duration::from_millis(span)),
        _ => Err("a time is at least 1ms and at most a day".to_owned()),
    }
}

/// Reads how old something is, in hours, days (`d`) or weeks (`w`) too; for clap.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    const LONG: [(&str, u64); 2] = [("d", 24 * 3_600_000), ("w", 7 * 24 * 3_600_000)];
    let units = [&UNITS[..], &LONG[..]].concat();
    let told = "an age is a whole number with a unit, like 12h, 7d or 2w";
    let age = milliseconds(text, &units).ok_or(told)?;
    age.map(Duration::from_millis).ok_or_else(|| "that is more than 2^64 milliseconds".to_owned())
}

/// `None` for what is no number with one of the units, `Some(None)` for one that is too large.
fn milliseconds(text: &str, units: &[(&str, u64)]) -> Option<Option<u64>> {
    let text = text.trim();
    let unit = units.iter().find_map(|&(unit, ms)| text.strip_suffix(unit).map(|n| (n, ms)));
    let (digits, unit_ms) = unit?;
    let digits = digits.trim_end();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit_ms)))
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
    fn ages_may_be_long() {
        assert_eq!(parse_age("2w"), Ok(Duration::from_secs(14 * 86_400)));
        assert_eq!(parse_age("0s"), Ok(Duration::ZERO));
        assert!(parse_age("1y").is_err() && parse_age("99999999999999999w").is_err());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "10", "s", "0s", "-1s", "1.5s", "25h", "1d", "99999999999999999999s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
