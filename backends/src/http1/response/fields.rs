//! Header values with a meaning of their own.

use thiserror::Error;

/// A header that does not say what it has to say. The head as a whole was well formed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldError {
    /// It stands there more than once.
    #[error("the answer has more than one {name}")]
    Repeated {
        /// Name of the header.
        name: &'static str,
    },
    /// Its value is not UTF-8. The value is not repeated: it may be a token (SEC-1).
    #[error("{name} in the answer is not text")]
    NotText {
        /// Name of the header.
        name: &'static str,
    },
    /// Its value cannot be read.
    #[error("{name} {value:?} in the answer cannot be read")]
    Malformed {
        /// Name of the header.
        name: &'static str,
        /// The beginning of its value.
        value: String,
    },
}

impl FieldError {
    /// How much of a value an error repeats.
    const SHOWN_CHARS: usize = 64;

    pub(super) fn malformed(name: &'static str, value: &str) -> Self {
        Self::Malformed { name, value: value.chars().take(Self::SHOWN_CHARS).collect() }
    }
}

/// `Content-Range` in bytes (RFC 9110 section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes first-last/total`: what this answer carries.
    Satisfied {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte, which is included.
        last: u64,
        /// Size of the object; `None` for `*`.
        total: Option<u64>,
    },
    /// `bytes */total`: no byte of the range asked for exists (416).
    Unsatisfied {
        /// Size of the object.
        total: u64,
    },
}

impl ContentRange {
    /// Size of the object, if it is told.
    pub fn total(&self) -> Option<u64> {
        match *self {
            Self::Satisfied { total, .. } => total,
            Self::Unsatisfied { total } => Some(total),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (unit, spec) = text.split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, total) = spec.split_once('/')?;
        if range == "*" {
            return Some(Self::Unsatisfied { total: decimal(total.as_bytes())? });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last) = (decimal(first.as_bytes())?, decimal(last.as_bytes())?);
        let total = match total {
            "*" => None,
            digits => Some(decimal(digits.as_bytes())?),
        };
        let fits = first <= last && last < total.unwrap_or(u64::MAX);
        fits.then_some(Self::Satisfied { first, last, total })
    }
}

/// One plain decimal number: digits only, no sign, no list, no overflow.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let satisfied = |first, last, total| Some(ContentRange::Satisfied { first, last, total });
        let table = [
            ("bytes 0-0/1", satisfied(0, 0, Some(1))),
            ("bytes 8388608-16777215/20000000", satisfied(8_388_608, 16_777_215, Some(20_000_000))),
            ("BYTES 5-9/*", satisfied(5, 9, None)),
            ("bytes */0", Some(ContentRange::Unsatisfied { total: 0 })),
            ("bytes */47", Some(ContentRange::Unsatisfied { total: 47 })),
            ("bytes 5-4/10", None),
            ("bytes 0-10/10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes 0-18446744073709551616/*", None),
            ("bytes +0-1/2", None),
            ("bytes 0-1/ 2", None),
            ("bytes 0 - 1/2", None),
            ("bytes 0-1", None),
            ("bytes */*", None),
            ("bytes=0-1/2", None),
            ("items 0-1/2", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(ContentRange::parse(text), expected, "{text:?}");
        }
    }
}
