//! The signer against what others published: AWS's test suite for Signature Version 4 and the
//! examples in the Amazon S3 API reference.

use hydrant::s3::credentials::Credentials;
use hydrant::s3::encode::{decode_listing, encode_path};
use hydrant::s3::sign::{
    HexDigest, PayloadHash, Scope, SigningKeyCache, SigningRequest, sign, write_canonical_request,
    write_string_to_sign,
};
use hydrant::s3::time::{SigningTime, Timestamp};
use sha2::{Digest, Sha256};

const SUITE: &str = include_str!("../data/sigv4/aws-suite.txt");

#[test]
fn the_suite_of_aws_is_signed_as_published() {
    let cases: Vec<Case<'_>> = SUITE.split("==== case ").skip(1).map(Case::parse).collect();
    assert_eq!(cases.len(), 30);
    let mut keys = SigningKeyCache::new();
    for case in &cases {
        case.check(&mut keys);
    }
}

/// One case of the suite, as its files have it.
struct Case<'a> {
    name: &'a str,
    session_token: &'a str,
    request: &'a str,
    canonical_request: &'a str,
    string_to_sign: &'a str,
    authorization: &'a str,
}

impl<'a> Case<'a> {
    fn parse(text: &'a str) -> Case<'a> {
        let (name, rest) = text.split_once('\n').unwrap();
        let section = |title: &str| {
            let (_, after) = rest.split_once(&format!("---- {title}\n")).unwrap();
            after.split("\n---- ").next().unwrap().trim_end_matches('\n')
        };
        Case {
            name,
            session_token: section("session-token"),
            request: section("request"),
            canonical_request: section("canonical-request"),
            string_to_sign: section("string-to-sign"),
            authorization: section("authorization"),
        }
    }

    fn check(&self, keys: &mut SigningKeyCache) {
        let name = self.name;
        let (head, body) = self.request.split_once("\n\n").unwrap_or((self.request, ""));
        let (line, header_lines) = head.split_once('\n').unwrap();
        let (method, target) = line.trim_end_matches(" HTTP/1.1").split_once(' ').unwrap();
        let (raw_path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        let mut path = Vec::new();
        encode_path(raw_path.as_bytes(), &mut path);

        let query: Vec<(String, String)> = raw_query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (decoded(key), decoded(value)))
            .collect();
        let query: Vec<(&str, &str)> = query.iter().map(|(k, v)| (&k[..], &v[..])).collect();

        let time = SigningTime::new(Timestamp::parse_iso8601("2015-08-30T12:36:00Z").unwrap());
        let payload = PayloadHash::of(body.as_bytes());
        let mut headers = unfold(header_lines);
        let mut add = |name: &str, value: &[u8]| headers.push((name.into(), value.to_vec()));
        add("x-amz-date", time.date_time());
        if !self.session_token.is_empty() {
            add("x-amz-security-token", self.session_token.as_bytes());
        }
        if !body.is_empty() {
            add("x-amz-content-sha256", payload.as_bytes());
        }
        let headers: Vec<(&str, &[u8])> = headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();

        let request =
            SigningRequest { method, path: &path, query: &query, headers: &headers, payload };
        let token = Some(self.session_token).filter(|token| !token.is_empty()).map(str::to_owned);
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, token, None).unwrap();
        let scope = Scope { time, region: "us-east-1", service: "service" };

        let canonical = canonical_request(&request);
        assert_eq!(canonical, self.canonical_request, "{name}");
        let mut to_sign = Vec::new();
        let hashed = HexDigest::new(&Sha256::digest(canonical).into());
        write_string_to_sign(&scope, &hashed, &mut to_sign);
        assert_eq!(String::from_utf8(to_sign).unwrap(), self.string_to_sign, "{name}");
        let signed = sign(&request, scope, &credentials, keys).unwrap();
        let mut authorization = Vec::new();
        signed.write_authorization(&mut authorization);
        assert_eq!(String::from_utf8(authorization).unwrap(), self.authorization, "{name}");
        let hex = std::str::from_utf8(signed.signature().as_bytes()).unwrap();
        assert!(self.authorization.ends_with(hex), "{name}");
    }
}

/// Header lines as names in lower case and values; a line that starts with a blank continues the
/// one before (obs-fold, RFC 9112 section 5.2).
fn unfold(lines: &str) -> Vec<(String, Vec<u8>)> {
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    for line in lines.lines() {
        if line.starts_with(' ') {
            headers.last_mut().unwrap().1.extend_from_slice(line.as_bytes());
        } else {
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_ascii_lowercase(), value.as_bytes().to_vec()));
        }
    }
    headers
}

fn canonical_request(request: &SigningRequest<'_>) -> String {
    let mut text = Vec::new();
    write_canonical_request(request, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// Signs as the examples in "Signature Calculations for the Authorization Header" do, and compares
/// the signature.
fn check_s3_example(
    method: &str,
    key: &str,
    query: &[(&str, &str)],
    extra_headers: &[(&str, &[u8])],
    body: &[u8],
    wanted: &str,
) {
    let time = SigningTime::new(Timestamp::parse_iso8601("2013-05-24T00:00:00Z").unwrap());
    let payload = PayloadHash::of(body);
    let mut path = b"/".to_vec();
    encode_path(key.as_bytes(), &mut path);
    let mut headers: Vec<(&str, &[u8])> = vec![
        ("x-amz-date", time.date_time()),
        ("x-amz-content-sha256", payload.as_bytes()),
        ("host", b"examplebucket.s3.amazonaws.com"),
    ];
    headers.extend_from_slice(extra_headers);
    let request = SigningRequest { method, path: &path, query, headers: &headers, payload };
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None).unwrap();
    let scope = Scope { time, region: "us-east-1", service: "s3" };
    let signed = sign(&request, scope, &credentials, &mut SigningKeyCache::new()).unwrap();
    assert_eq!(std::str::from_utf8(signed.signature().as_bytes()).unwrap(), wanted);
}

#[test]
fn the_s3_example_of_a_ranged_get() {
    let range: (&str, &[u8]) = ("range", b"bytes=0-9");
    let wanted = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    check_s3_example("GET", "test.txt", &[], &[range], b"", wanted);
}

#[test]
fn the_s3_example_of_a_put() {
    let headers: [(&str, &[u8]); 2] = [
        ("date", b"Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", b"REDUCED_REDUNDANCY"),
    ];
    let wanted = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
    check_s3_example("PUT", "test$file.text", &[], &headers, b"Welcome to Amazon S3.", wanted);
}

#[test]
fn the_s3_example_of_a_sub_resource() {
    let wanted = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    check_s3_example("GET", "", &[("lifecycle", "")], &[], b"", wanted);
}

#[test]
fn the_s3_example_of_a_listing() {
    let wanted = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    check_s3_example("GET", "", &[("prefix", "J"), ("max-keys", "2")], &[], b"", wanted);
}

fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    decode_listing(&mut text).unwrap();
    text
}
