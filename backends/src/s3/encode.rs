//! URI encoding as S3 wants it, into a sink and without allocation.
//!
//! S3 encodes every byte but `A-Z a-z 0-9 - . _ ~` as `%XX` with upper-case digits; `/` stays as it
//! is in a path and is encoded in a query. Keys are plain bytes here: `//`, a leading `/`, `.`,
//! `..`, newlines and any Unicode pass through unchanged, because S3 neither removes dots nor joins
//! slashes. Source: Amazon S3 API reference, "Authenticating Requests: Using the Authorization
//! Header", UriEncode().

use memchr::memchr2;

/// Where bytes are written to: a buffer, or a hash that never sees the whole text.
pub trait ByteSink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl ByteSink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes an object key (or a part of a path) URI-encoded; `/` is kept.
pub fn encode_path(key: &[u8], sink: &mut impl ByteSink) {
    encode(key, is_kept_in_path, sink);
}

/// Writes a query key or value URI-encoded; `/` becomes `%2F`.
pub fn encode_query(text: &[u8], sink: &mut impl ByteSink) {
    encode(text, is_unreserved, sink);
}

/// Writes `?key=value&key=value` in the order given, or nothing without pairs.
///
/// A key without a value is written `uploads=`: the form that is signed, and every server takes it.
pub fn write_query(pairs: &[(&str, &str)], sink: &mut impl ByteSink) {
    for (position, (key, value)) in pairs.iter().enumerate() {
        sink.put(if position == 0 { b"?" } else { b"&" });
        encode_query(key.as_bytes(), sink);
        sink.put(b"=");
        encode_query(value.as_bytes(), sink);
    }
}

/// The bytes that [`encode_query`] would write, one by one: for comparing two texts by their
/// encoded form.
pub fn encoded_query_bytes(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().flat_map(|byte| {
        let (unit, length) =
            if is_unreserved(byte) { ([byte, 0, 0], 1) } else { (percent(byte), 3) };
        unit.into_iter().take(length)
    })
}

/// Undoes the encoding of a listing with `encoding-type=url`, in the text's own memory: `%XX`, and `+` for
/// a space. Nothing is left of a text that cannot be read.
///
/// A `+` that belongs to a key arrives as `%2B`. Source: Amazon S3 API reference, ListObjectsV2,
/// EncodingType.
pub fn decode_listing(text: &mut String) -> Result<(), DecodeError> {
    let Some(first) = memchr2(b'%', b'+', text.as_bytes()) else { return Ok(()) };
    let mut bytes = std::mem::take(text).into_bytes();
    // What is decoded is never longer than what it is decoded from.
    let (mut from, mut to) = (first, first);
    while from < bytes.len() {
        let (byte, taken) = match bytes[from] {
            b'%' => {
                let digits = bytes.get(from + 1..from + 3).ok_or(DecodeError::Escape)?;
                (hex_value(digits[0])? << 4 | hex_value(digits[1])?, 3)
            }
            b'+' => (b' ', 1),
            byte => (byte, 1),
        };
        bytes[to] = byte;
        (from, to) = (from + taken, to + 1);
    }
    bytes.truncate(to);
    *text = String::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)?;
    Ok(())
}

/// Why a URL-encoded text of a listing could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A `%` that two hexadecimal digits do not follow.
    #[error("a `%` is not followed by two hexadecimal digits")]
    Escape,
    /// The decoded bytes are not UTF-8, which S3 requires of keys.
    #[error("the decoded bytes are not UTF-8")]
    NotUtf8,
}

fn encode(text: &[u8], kept: fn(u8) -> bool, sink: &mut impl ByteSink) {
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.iter().position(|&byte| !kept(byte)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(plain);
        if !run.is_empty() {
            sink.put(run);
        }
        rest = match after.split_first() {
            Some((&byte, tail)) => {
                sink.put(&percent(byte));
                tail
            }
            None => after,
        };
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_kept_in_path(byte: u8) -> bool {
    byte == b'/' || is_unreserved(byte)
}

fn percent(byte: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

fn hex_value(digit: u8) -> Result<u8, DecodeError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(DecodeError::Escape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(key: &str) -> String {
        let mut out = Vec::new();
        encode_path(key.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn decoded(text: &str) -> Result<String, DecodeError> {
        let mut text = text.to_owned();
        decode_listing(&mut text).map(|()| text)
    }

    fn query(text: &str) -> String {
        let mut out = Vec::new();
        encode_query(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_byte_is_kept_or_escaped_in_upper_case() {
        for byte in 0..=255u8 {
            let mut out = Vec::new();
            encode_query(&[byte], &mut out);
            let kept = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
            let wanted =
                if kept.contains(&byte) { vec![byte] } else { format!("%{byte:02X}").into_bytes() };
            assert_eq!(out, wanted);
        }
    }

    #[test]
    fn a_path_keeps_slashes_and_dots_as_they_are() {
        assert_eq!(path("a//b/./../c d"), "a//b/./../c%20d");
        assert_eq!(path("/leading"), "/leading");
        assert_eq!(path("ሴ\n+"), "%E1%88%B4%0A%2B");
        assert_eq!(path("%41"), "%2541");
    }

    #[test]
    fn a_query_escapes_slashes() {
        assert_eq!(query("a/b=c&d"), "a%2Fb%3Dc%26d");
    }

    #[test]
    fn query_pairs_are_joined_and_a_bare_key_has_an_equals_sign() {
        let mut out = Vec::new();
        write_query(&[], &mut out);
        assert!(out.is_empty());
        write_query(&[("uploads", ""), ("prefix", "a/ b")], &mut out);
        assert_eq!(out, b"?uploads=&prefix=a%2F%20b");
    }

    #[test]
    fn listings_decode_both_spellings_of_a_space() {
        assert_eq!(decoded("a+b%20c%2Bd%2fe").unwrap(), "a b c+d/e");
        assert_eq!(decoded("%E1%88%B4").unwrap(), "ሴ");
    }

    #[test]
    fn broken_escapes_are_errors() {
        for broken in ["%", "%4", "%zz", "a%4g"] {
            assert_eq!(decoded(broken), Err(DecodeError::Escape), "{broken}");
        }
        assert_eq!(decoded("%ff"), Err(DecodeError::NotUtf8));
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in any::<String>()) {
            prop_assert_eq!(decoded(&path(&text)).unwrap(), text.clone());
            prop_assert_eq!(decoded(&query(&text)).unwrap(), text);
        }

        #[test]
        fn the_byte_iterator_agrees_with_the_writer(text in any::<String>()) {
            let bytes: Vec<u8> = encoded_query_bytes(&text).collect();
            prop_assert_eq!(bytes, query(&text).into_bytes());
        }

        #[test]
        fn decoding_never_panics(text in any::<String>()) {
            let _ = decoded(&text);
        }
    }
}
