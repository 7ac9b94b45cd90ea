//! Numbers, times and keys as people read them.

use std::time::{Duration, SystemTime};

use hydrant::s3::time::SigningTime;

const UNITS: [(&str, u64); 4] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A size, in powers of 1,024: `1 GiB`, `1.50 MiB`, `17 B`.
pub fn size(bytes: u64) -> String {
    match UNITS.iter().find(|(_, unit_bytes)| bytes >= *unit_bytes) {
        None => format!("{bytes} B"),
        Some((unit, unit_bytes)) if bytes.is_multiple_of(*unit_bytes) => {
            format!("{} {unit}", bytes / unit_bytes)
        }
        Some((unit, unit_bytes)) => format!("{:.2} {unit}", bytes as f64 / *unit_bytes as f64),
    }
}

/// A rate, in powers of 1,000 as networks have it: `1.52 GB/s`.
pub fn rate(bytes: u64, time: Duration) -> String {
    let per_second = bytes as f64 / time.as_secs_f64().max(1e-9);
    match per_second {
        rate if rate >= 1e9 => format!("{:.2} GB/s", rate / 1e9),
        rate if rate >= 1e6 => format!("{:.1} MB/s", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} kB/s", rate / 1e3),
        rate => format!("{rate:.0} B/s"),
    }
}

/// A count with its thousands apart: `1,073,741,824`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A span of time: `0.71 s`, `2 min 05 s`.
pub fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 60 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// A moment in UTC, as listings show it: `2026-11-21 02:37:19`.
pub fn moment(at: SystemTime) -> String {
    spell(at, " ", "")
}

/// A moment in UTC by ISO 8601: `2026-11-21T02:37:19Z`.
pub fn iso8601(at: SystemTime) -> String {
    spell(at, "T", "Z")
}

/// A key or name for a terminal: control characters, which could drive it, are escaped.
pub fn name(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// From `YYYYMMDDTHHMMSSZ`.
fn spell(at: SystemTime, between: &str, after: &str) -> String {
    let signing = SigningTime::new(at.into());
    let digits = String::from_utf8_lossy(signing.date_time());
    let piece = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}{between}{}:{}:{}{after}",
        piece(0, 4),
        piece(4, 6),
        piece(6, 8),
        piece(9, 11),
        piece(11, 13),
        piece(13, 15)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_whole_numbers_whole() {
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536 << 10, "1.50 MiB"),
            (1 << 30, "1 GiB"),
            (5 << 40, "5 TiB"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn rates_are_decimal_and_no_time_is_no_division_by_zero() {
        let second = Duration::from_secs(1);
        assert_eq!(rate(1_520_000_000, second), "1.52 GB/s");
        assert_eq!(rate(85_300_000, second), "85.3 MB/s");
        assert_eq!(rate(2_000, second), "2.0 kB/s");
        assert_eq!(rate(7, second), "7 B/s");
        assert_eq!(rate(0, Duration::ZERO), "0 B/s");
    }

    #[test]
    fn thousands_are_apart() {
        let counts = [(0, "0"), (999, "999"), (1000, "1,000"), (1 << 30, "1,073,741,824")];
        for (number, text) in counts {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn spans_and_moments() {
        assert_eq!(span(Duration::from_millis(714)), "0.71 s");
        assert_eq!(span(Duration::from_secs(125)), "2 min 05 s");
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_210_096);
        assert_eq!(moment(at), "2024-02-29 12:34:56");
        assert_eq!(iso8601(at), "2024-02-29T12:34:56Z");
    }

    #[test]
    fn names_cannot_drive_a_terminal() {
        assert_eq!(name("a b/ü😀"), "a b/ü😀");
        assert_eq!(name("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
    }
}
