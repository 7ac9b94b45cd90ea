//! AWS's own cases of the chain (`tests/data/aws-config`), played by a script: no network, no files.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::script::{Script, chain, now};
use crate::s3::time::Timestamp;

const CASES: &str = include_str!("../../../../tests/data/aws-config/chain-cases.json");

fn texts(object: &Value) -> Vec<(&str, &str)> {
    let pairs = object.as_object().expect("an object").iter();
    pairs.map(|(name, value)| (&**name, value.as_str().expect("text"))).collect()
}

#[test]
fn the_published_cases_end_as_published() {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("cases");
    assert_eq!(cases.len(), 29);
    for case in &cases {
        let name = case["case"].as_str().expect("a name");
        let script = Script {
            files: texts(&case["files"]).into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            traffic: case["traffic"].as_array().expect("a list").clone(),
            ..Script::default()
        };
        let fetched = now(chain(&texts(&case["env"])).fetch(&script));
        let Some(expected) = case["result"].get("Ok") else {
            fetched.expect_err(name);
            continue;
        };
        let keys = fetched.unwrap_or_else(|error| panic!("{name}: {error}")).credentials;
        assert_eq!(keys.access_key_id(), expected["access_key_id"], "{name}");
        assert_eq!(keys.secret_access_key(), expected["secret_access_key"], "{name}");
        assert_eq!(keys.session_token(), expected["session_token"].as_str(), "{name}");
        let end = keys.expires_at().map(Timestamp::unix_seconds);
        assert_eq!(end, expected["expiry"].as_u64(), "{name}");
        assert_eq!(script.differs.take(), [""; 0], "{name}");
        assert_eq!(script.asked.borrow().len(), script.traffic.len(), "{name}");
    }
}

const KEYS: &str = r#"{"Version":1,"AccessKeyId":"ASIA","SecretAccessKey":"hush","Token":"t",
    "SessionToken":"t","Expiration":"2030-01-01T00:00:00Z"}"#;

fn serving(status: u16, uri: &str, body: &str) -> Vec<Value> {
    vec![serde_json::json!({"method": "GET", "uri": uri, "status": status, "body": body})]
}

#[test]
fn the_token_of_a_container_goes_to_few_hosts() {
    let name = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    for (uri, allowed) in [
        ("http://169.254.170.2/x", true),
        ("http://169.254.170.23/x", true),
        ("http://[fd00:ec2::23]/x", true),
        ("http://127.0.0.9:99/x", true),
        ("http://[::1]:99/x", true),
        ("http://localhost/x", true),
        ("https://elsewhere/x", true),
        ("http://elsewhere/x", false),
        ("http://169.254.169.254/x", false),
        ("http://10.0.0.1/x", false),
        ("ftp://127.0.0.1/x", false),
        ("/x", false),
    ] {
        let env = [(name, uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush")];
        let traffic = serving(200, uri, KEYS);
        let script = Script { traffic, loopback: vec!["localhost"], ..Script::default() };
        let fetched = now(chain(&env).fetch(&script));
        assert_eq!(fetched.is_ok(), allowed, "{uri}: {fetched:?}");
        assert_eq!(script.asked.borrow().len(), usize::from(allowed), "SEC-3: {uri}");
        assert!(!format!("{fetched:?}").contains("hush"), "SEC-1");
    }
}

#[test]
fn the_token_file_of_a_container_is_read_each_time() {
    let env = [
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this one"),
    ];
    let chain = chain(&env);
    for (token, good) in [("one", true), ("two", true), ("a\r\nb: c", false)] {
        let uri = "http://169.254.170.2/x";
        let mut traffic = serving(200, uri, KEYS);
        traffic[0]["headers"] = serde_json::json!({"authorization": token});
        let files = BTreeMap::from([("/token".to_owned(), token.to_owned())]);
        let script = Script { traffic, files, ..Script::default() };
        assert_eq!(now(chain.fetch(&script)).is_ok(), good, "{token}");
        assert_eq!(script.differs.take(), [""; 0], "{token}");
    }
}

#[test]
fn a_command_of_a_profile_gives_keys() {
    let files = [
        ("/c", "[profile p]\ncredential_process = /bin/keys --for \"me\"\n"),
        ("/bin/keys --for \"me\"", KEYS),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    let env = [("AWS_CONFIG_FILE", "/c"), ("AWS_PROFILE", "p")];
    let fetched = now(chain(&env).fetch(&Script { files, ..Script::default() })).expect("keys");
    assert_eq!(fetched.source, "profile p, credential_process");
    assert_eq!(fetched.credentials.access_key_id(), "ASIA");
}

#[test]
fn a_profile_that_was_named_and_is_not_there_is_an_error() {
    let env = [("AWS_PROFILE", "gone"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")];
    let error = now(chain(&env).fetch(&Script::default())).expect_err("not there");
    assert!(error.to_string().contains("profile gone"), "{error}");
}

#[test]
fn where_nothing_is_set_up_the_error_names_all_that_was_asked() {
    for (env, word) in [
        (vec![("AWS_EC2_METADATA_DISABLED", "TRUE")], "AWS_EC2_METADATA_DISABLED"),
        (vec![], "no route"),
    ] {
        let script = Script::default();
        let error = now(chain(&env).fetch(&script)).expect_err("nothing").to_string();
        assert!(error.contains(word) && error.contains("AWS_PROFILE"), "{error}");
    }
}

#[test]
fn a_trouble_of_the_server_is_asked_about_again_and_a_refusal_is_not() {
    for (status, asked) in [(500, 3), (429, 3), (403, 1)] {
        let uri = "http://169.254.170.2/x";
        let traffic = vec![serving(status, uri, "no")[0].clone(); 4];
        let script = Script { traffic, ..Script::default() };
        let env = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")];
        let error = now(chain(&env).fetch(&script)).expect_err("refused").to_string();
        assert!(error.contains(&status.to_string()), "{error}");
        assert_eq!(script.asked.borrow().len(), asked, "{status}");
    }
}

#[test]
fn the_service_of_an_instance_can_be_elsewhere() {
    let env = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:8111/base/")];
    let script = Script::default();
    now(chain(&env).fetch(&script)).expect_err("no route");
    assert_eq!(script.asked.borrow()[0], "http://127.0.0.1:8111/base/latest/api/token");
    let env = [("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6")];
    let script = Script::default();
    now(chain(&env).fetch(&script)).expect_err("no route");
    assert_eq!(script.asked.borrow()[0], "http://[fd00:ec2::254]/latest/api/token");
}

#[test]
fn how_often_the_service_of_an_instance_is_asked_can_be_said() {
    let uri = "http://169.254.169.254/latest/api/token";
    for (said, asked) in [(None, 3), (Some("1"), 1), (Some(" 2 "), 2)] {
        let traffic = vec![serving(500, uri, "no")[0].clone(); 4];
        let script = Script { traffic, ..Script::default() };
        let env = said.map(|said| ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", said));
        now(chain(env.as_slice()).fetch(&script)).expect_err("refused");
        assert_eq!(script.asked.borrow().len(), asked, "{said:?}");
    }
    for name in ["AWS_METADATA_SERVICE_NUM_ATTEMPTS", "AWS_METADATA_SERVICE_TIMEOUT"] {
        for said in ["0", "-1", "1.5", "soon", "4294967296"] {
            let script = Script::default();
            let error = now(chain(&[(name, said)]).fetch(&script)).expect_err("no number");
            assert!(error.to_string().contains(name), "{error}");
            assert!(script.asked.borrow().is_empty(), "nobody is asked");
        }
    }
}
