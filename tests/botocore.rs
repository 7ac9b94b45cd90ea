//! Signatures beside those of botocore, whose signers boto3 and the AWS command line use: byte by byte, in
//! the header and in the query, of requests with keys and values that signers trip over.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hydrant::s3::credentials::Credentials;
use hydrant::s3::encode::{encode_path, write_query};
use hydrant::s3::endpoint::{AddressStyle, Endpoint, EndpointOptions};
use hydrant::s3::presign::presign;
use hydrant::s3::sign::{PayloadHash, Scope, SigningKeyCache, SigningRequest, sign};
use hydrant::s3::time::{SigningTime, Timestamp};
use hydrant::s3::{DeleteObject, GetObject, HeadObject, PutObject, UploadPart};
use hydrant_engine::testing::not_tested;
use hydrant_tests::Dice;
use serde_json::{Value, json};

use crate::installed::python_with;

const REQUESTS: usize = 400;
const HOST: &str = "bucket.s3.example:9000";

/// What keys and values are made of.
const PIECES: [&str; 30] = [
    "a", "Key", "0", "/", "//", ".", "..", "/./", "/../", " ", "  ", "+", "%", "%41", "%2F", "?",
    "#", "&", "=", "~", "-_.", "*'()!", ";:,@$", "\"<>", "\\^`{|}", "\n", "\t", "é", "\u{7f}",
    "🦀",
];

#[test]
fn botocore_signs_alike() {
    let python = match python_with("boto3", &["boto3"]) {
        Ok(python) => python,
        Err(reason) => {
            return not_tested(format_args!("botocore, which cannot be installed: {reason}"));
        }
    };
    let mut dice = Dice::of_the_day();
    let samples: Vec<Sample> = (0..REQUESTS).map(|_| Sample::thrown(&mut dice)).collect();
    let signed: Vec<(Value, String)> =
        samples.iter().flat_map(|sample| [sample.in_header(), sample.in_query()]).collect();
    let asked = signed.iter().map(|(asked, _)| asked.clone()).collect();
    let theirs = botocore(&python, asked);
    assert_eq!(theirs.len(), 2 * REQUESTS);
    for ((asked, ours), theirs) in signed.iter().zip(theirs) {
        assert_eq!(*ours, theirs, "{asked}");
    }
}

struct Sample {
    method: &'static str,
    key: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    secret: String,
    token: Option<String>,
    region: &'static str,
    unix_seconds: u64,
    expires_s: u64,
    operation: u64,
}

impl Sample {
    fn thrown(dice: &mut Dice) -> Sample {
        let count = dice.below(5) as u8;
        // Names differ, as they do in every request of S3.
        let query = (0..count).map(|at| (format!("{}{at}", text(dice, 3)), text(dice, 3)));
        let query = query.collect();
        let count = dice.below(5) as u8;
        let headers = (0..count).map(|at| (format!("x-amz-meta-{at}"), value(dice)));
        let headers = headers.collect();
        let bytes = dice.below(40) as u8;
        Sample {
            method: ["GET", "PUT", "POST", "DELETE", "HEAD"][dice.below(5) as usize],
            key: format!("k{}", text(dice, 6)),
            query,
            headers,
            body: (dice.below(2) == 0).then(|| (0..bytes).collect()),
            secret: format!("secret/+{}", dice.below(1 << 40)),
            token: (dice.below(2) == 0).then(|| format!("token/+={}", dice.below(1 << 40))),
            region: ["us-east-1", "eu-central-1", "auto"][dice.below(3) as usize],
            // To the year 2100.
            unix_seconds: dice.below(4_102_444_800),
            expires_s: 1 + dice.below(604_800),
            operation: dice.below(5),
        }
    }

    fn credentials(&self) -> Credentials {
        Credentials::new("AKID", &self.secret[..], self.token.clone(), None).expect("keys")
    }

    /// What botocore is asked.
    fn asked(&self, method: &str, query: &[(&str, &str)], headers: &[(String, String)]) -> Value {
        let mut url = format!("http://{HOST}/").into_bytes();
        encode_path(self.key.as_bytes(), &mut url);
        write_query(query, &mut url);
        json!({
            "method": method,
            "url": String::from_utf8(url).expect("encoded"),
            "headers": headers,
            "secret": self.secret,
            "token": self.token,
            "region": self.region,
            "unix_seconds": self.unix_seconds,
        })
    }

    /// With the signature in `Authorization`.
    fn in_header(&self) -> (Value, String) {
        let query: Vec<_> = self.query.iter().map(|(name, text)| (&name[..], &text[..])).collect();
        let mut asked = self.asked(self.method, &query, &self.headers);
        let hex = |body: &Vec<u8>| body.iter().map(|it| format!("{it:02x}")).collect::<String>();
        asked["body"] = json!(self.body.as_ref().map(hex));
        asked["expires_s"] = Value::Null;

        let time = SigningTime::new(Timestamp::from_unix_seconds(self.unix_seconds));
        let payload = self.body.as_deref().map_or(PayloadHash::Unsigned, PayloadHash::of);
        let mut headers: Vec<(&str, &[u8])> = vec![
            ("host", HOST.as_bytes()),
            ("x-amz-content-sha256", payload.as_bytes()),
            ("x-amz-date", time.date_time()),
        ];
        headers.extend(self.headers.iter().map(|(name, value)| (&name[..], value.as_bytes())));
        headers.extend(self.token.iter().map(|it| ("x-amz-security-token", it.as_bytes())));
        let mut path = b"/".to_vec();
        encode_path(self.key.as_bytes(), &mut path);
        let (path, query, headers) = (&path[..], &query[..], &headers[..]);
        let request = SigningRequest { method: self.method, path, query, headers, payload };
        let scope = Scope { time, region: self.region, service: "s3" };
        let (keys, credentials) = (&mut SigningKeyCache::new(), self.credentials());
        let mut authorization = Vec::new();
        let signed = sign(&request, scope, &credentials, keys).expect("signed");
        signed.write_authorization(&mut authorization);
        (asked, String::from_utf8(authorization).expect("ASCII"))
    }

    /// With the signature in the query.
    fn in_query(&self) -> (Value, String) {
        let options = EndpointOptions {
            url: Some("http://s3.example:9000".into()),
            region: Some(self.region.into()),
            style: Some(AddressStyle::VirtualHost),
            ..EndpointOptions::default()
        };
        let endpoint = Endpoint::resolve("bucket", &options).expect("an endpoint");
        let now = Timestamp::from_unix_seconds(self.unix_seconds);
        let life = Duration::from_secs(self.expires_s);
        let version = self.query.first().map(|(name, _)| name.clone());
        let key = &self.key[..];
        let credentials = self.credentials();
        let (ours, query, headers) = match self.operation {
            0 | 1 => {
                let mut get = GetObject::new(key);
                get.version_id.clone_from(&version);
                let query = version.iter().map(|it| ("versionId", &it[..])).collect();
                let ours = match self.operation {
                    0 => presign(&get, &endpoint, &credentials, now, life),
                    _ => presign(&HeadObject(get), &endpoint, &credentials, now, life),
                };
                (ours, query, &[][..])
            }
            2 => {
                let mut put = PutObject::new(key, &b""[..]);
                let names = self.headers.iter().map(|(name, value)| {
                    (name.trim_start_matches("x-amz-meta-").to_owned(), value.clone())
                });
                put.object.metadata = names.collect();
                let ours = presign(&put, &endpoint, &credentials, now, life);
                (ours, Vec::new(), &self.headers[..])
            }
            3 => {
                let part = UploadPart::new(key, "U+/= ü", 7, &b""[..]);
                let query = vec![("partNumber", "7"), ("uploadId", "U+/= ü")];
                (presign(&part, &endpoint, &credentials, now, life), query, &[][..])
            }
            _ => {
                let delete = DeleteObject::new(key);
                (presign(&delete, &endpoint, &credentials, now, life), Vec::new(), &[][..])
            }
        };
        let ours = ours.expect("presigned");
        let mut asked = self.asked(ours.method.as_str(), &query, headers);
        asked["body"] = Value::Null;
        asked["expires_s"] = json!(self.expires_s);
        (asked, ours.url.clone())
    }
}

fn text(dice: &mut Dice, pieces: u64) -> String {
    let count = dice.below(pieces + 1);
    (0..count).map(|_| PIECES[dice.below(PIECES.len() as u64) as usize]).collect()
}

/// The value of a header: blanks at its ends and in runs are what the rules are about.
fn value(dice: &mut Dice) -> String {
    let words = ["a", "B;c", "  ", " ", "\"q\"", "x=1,y", "é"];
    let count = dice.below(6);
    (0..count).map(|_| words[dice.below(words.len() as u64) as usize]).collect()
}

/// What its signers answer.
fn botocore(python: &Path, requests: Vec<Value>) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/botocore_signer.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let asked = Value::Array(requests).to_string();
    let mut stdin = child.stdin.take().expect("it was piped");
    // It answers when it has read all.
    stdin.write_all(asked.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("an array of texts")
}
