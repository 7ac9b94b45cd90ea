use super::canonical::write_header_value;
use super::*;
use crate::s3::time::Timestamp;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const DATE: &[u8] = b"20130524T000000Z";

fn credentials() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, None, None).unwrap()
}

fn scope(unix_seconds: u64) -> Scope<'static> {
    let time = SigningTime::new(Timestamp::from_unix_seconds(unix_seconds));
    Scope { time, region: "us-east-1", service: "s3" }
}

fn request<'a>(headers: &'a [(&'a str, &'a [u8])]) -> SigningRequest<'a> {
    SigningRequest { method: "GET", path: b"/", query: &[], headers, payload: PayloadHash::Empty }
}

fn canonical(request: &SigningRequest<'_>) -> String {
    let mut text = Vec::new();
    write_canonical_request(request, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn attempt(headers: &[(&str, &[u8])], credentials: &Credentials) -> Result<HexDigest, SignError> {
    let mut keys = SigningKeyCache::new();
    sign(&request(headers), scope(1_369_353_600), credentials, &mut keys)
        .map(|signed| *signed.signature())
}

#[test]
fn header_values_lose_blanks_at_the_ends_and_runs_of_spaces_inside() {
    for (given, wanted) in [
        ("", ""),
        ("   ", ""),
        ("a", "a"),
        (" a  b ", "a b"),
        ("\t\"a   b   c\" \t", "\"a b c\""),
        ("a b    c  d", "a b c d"),
        ("a \t b", "a \t b"),
    ] {
        let mut out = Vec::new();
        write_header_value(given.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), wanted, "{given:?}");
    }
}

#[test]
fn headers_are_sorted_by_name_and_repeated_ones_joined_in_order() {
    let headers: [(&str, &[u8]); 4] = [("x-b", b"2"), ("host", b"h"), ("x-b", b"1"), ("a", b"")];
    let text = canonical(&request(&headers));
    assert!(text.contains("\n\na:\nhost:h\nx-b:2,1\n\na;host;x-b\n"), "{text}");
}

#[test]
fn query_pairs_are_sorted_by_their_encoded_form() {
    // Encoded, `~` stays 0x7E and `é` starts with `%` (0x25); unencoded, the order is the other way
    // round.
    let query = [("~", "1"), ("b", "2"), ("é", "3"), ("b", "/"), ("uploads", "")];
    let request = SigningRequest { query: &query, ..request(&[]) };
    let text = canonical(&request);
    assert_eq!(text.lines().nth(2), Some("%C3%A9=3&b=%2F&b=2&uploads=&~=1"));
}

#[test]
fn the_path_is_signed_as_it_is_sent() {
    let request = SigningRequest { path: b"/b/../a//b/%20.", ..request(&[]) };
    assert_eq!(canonical(&request).lines().nth(1), Some("/b/../a//b/%20."));
}

#[test]
fn a_request_whose_headers_cannot_verify_is_refused() {
    let plain = credentials();
    let with_token = Credentials::new("AKID", SECRET, Some("token".to_owned()), None).unwrap();
    let base: [(&str, &[u8]); 2] = [("host", b"h"), ("x-amz-date", DATE)];
    let plus = |name: &'static str, value: &'static [u8]| [base[0], base[1], (name, value)];
    let refused = |name| Err(SignError::Header { name });

    assert!(attempt(&base, &plain).is_ok());
    assert_eq!(attempt(&base[..1], &plain), refused("x-amz-date"));
    assert_eq!(attempt(&base[1..], &plain), refused("host"));
    assert_eq!(attempt(&base, &with_token), refused("x-amz-security-token"));
    let other = plus("x-amz-security-token", b"other");
    assert_eq!(attempt(&other, &with_token), refused("x-amz-security-token"));
    assert_eq!(attempt(&other, &plain), refused("x-amz-security-token"));
    assert!(attempt(&plus("x-amz-security-token", b"token"), &with_token).is_ok());
    let unsigned = plus("x-amz-content-sha256", b"UNSIGNED-PAYLOAD");
    assert_eq!(attempt(&unsigned, &plain), refused("x-amz-content-sha256"));
    let late: [(&str, &[u8]); 2] = [("host", b"h"), ("x-amz-date", b"20130524T000001Z")];
    assert_eq!(attempt(&late, &plain), refused("x-amz-date"));
    let name = "Range".to_owned();
    assert_eq!(attempt(&plus("Range", b"x"), &plain), Err(SignError::HeaderName { name }));
}

#[test]
fn limits_are_errors_and_the_last_allowed_one_is_not() {
    let mut headers: Vec<(&str, &[u8])> = vec![("host", b"h"), ("x-amz-date", DATE)];
    headers.resize(SIGNED_HEADERS_MAX, ("x-amz-meta-a", b"v"));
    assert!(attempt(&headers, &credentials()).is_ok());
    headers.push(("x-amz-meta-a", b"v"));
    let count = SIGNED_HEADERS_MAX + 1;
    assert_eq!(attempt(&headers, &credentials()), Err(SignError::TooManyHeaders { count }));

    let query = vec![("k", "v"); QUERY_PAIRS_MAX + 1];
    let over = SigningRequest { query: &query, ..request(&[]) };
    let count = QUERY_PAIRS_MAX + 1;
    assert_eq!(
        write_canonical_request(&over, &mut Vec::new()),
        Err(SignError::TooManyQueryPairs { count })
    );
}

/// SEC-1
#[test]
fn debug_shows_no_token_and_no_signature() {
    let credentials = Credentials::new("AKID", SECRET, Some("FwoGZXIv".to_owned()), None).unwrap();
    let headers: [(&str, &[u8]); 3] =
        [("host", b"h"), ("x-amz-date", DATE), ("x-amz-security-token", b"FwoGZXIv")];
    let query = [("X-Amz-Security-Token", "FwoGZXIv")];
    let request = SigningRequest { query: &query, ..request(&headers) };
    let mut keys = SigningKeyCache::new();
    let signed = sign(&request, scope(1_369_353_600), &credentials, &mut keys).unwrap();
    let text = format!("{request:?} {signed:?}");
    assert!(text.contains("x-amz-security-token"), "{text}");
    assert!(!text.contains("FwoGZXIv"), "{text}");
    assert!(!text.contains(&format!("{:?}", b"FwoGZXIv")), "{text}");
    assert!(!text.contains(&format!("{:?}", signed.signature())), "{text}");
}

#[test]
fn the_hash_of_no_body_is_the_constant() {
    let digest = HexDigest::new(&Sha256::digest(b"").into());
    assert_eq!(PayloadHash::Empty.as_bytes(), digest.as_bytes());
    assert_eq!(PayloadHash::of(b""), PayloadHash::Empty);
}
