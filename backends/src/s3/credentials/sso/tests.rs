//! The cases of botocore (`tests/data/aws-config`), and what they leave out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::CredentialsError;
use super::super::chain::Fetched;
use super::super::script::{Script, chain, now};
use crate::s3::time::Timestamp;

const CASES: &str = include_str!("../../../../tests/data/aws-config/sso-token-cases.json");

const CONFIG: &str = "[profile test]\nsso_session = admin\nsso_account_id = 1\nsso_role_name = a b\n\
    [sso-session admin]\nsso_region = us-west-2\nsso_start_url = https://d-123.awsapps.com/start\n\
    [profile role]\nrole_arn = arn:r\nsource_profile = test\n";
/// The SHA-1 of `admin`.
const TOKEN: &str = "/h/.aws/sso/cache/d033e22ae348aeb5660fc2140aec35850c4da997.json";
const PORTAL: &str = "https://portal.sso.us-west-2.amazonaws.com/federation/credentials\
    ?account_id=1&role_name=a%20b";
const OIDC: &str = "https://oidc.us-west-2.amazonaws.com/token";
const KEYS: &str = r#"{"roleCredentials":{"accessKeyId":"ASIA","secretAccessKey":"hush-key",
    "sessionToken":"hush-session","expiration":1900000000123}}"#;

fn at(text: &str) -> u64 {
    Timestamp::parse_iso8601(text).expect("a time").unix_seconds()
}

fn script(token: &str, now: &str, traffic: Vec<Value>) -> Script {
    let files = [("/h/.aws/config", CONFIG), (TOKEN, token)];
    let files: BTreeMap<_, _> = files.map(|(path, it)| (path.to_owned(), it.to_owned())).into();
    Script { files, traffic, now: at(now).into(), ..Script::default() }
}

fn fetch(script: &Script) -> Result<Fetched, CredentialsError> {
    now(chain(&[("HOME", "/h/"), ("AWS_PROFILE", "test")]).fetch(script))
}

/// The portal, which wants this token.
fn portal(token: &str) -> Value {
    let headers = json!({"x-amz-sso_bearer_token": token});
    json!({"method": "GET", "uri": PORTAL, "status": 200, "body": KEYS, "headers": headers})
}

fn oidc(status: u16, answer: &Value) -> Value {
    json!({"method": "POST", "uri": OIDC, "status": status, "body": answer.to_string()})
}

/// Nothing that the files and the answers of a test hide is in a text.
#[track_caller]
fn hides(text: &str) {
    for secret in ["cachedtoken", "newtoken", "cachedrefresh", "YSBz", "hush"] {
        assert!(!text.contains(secret), "SEC-1: {text}");
    }
}

#[test]
fn the_published_cases_end_as_published() {
    let cases: Value = serde_json::from_str(CASES).expect("cases");
    let cases = cases["refresh"].as_array().expect("cases");
    assert_eq!(cases.len(), 8);
    for case in cases {
        let docs = &case["documentation"];
        let cached = &case["cachedToken"];
        let mut traffic = Vec::new();
        if let Some(answer) = case.get("refreshResponse") {
            let mut renewal = oidc(200, answer);
            renewal["sent"] = json!({
                "grantType": "refresh_token", "refreshToken": cached["refreshToken"],
                "clientId": cached["clientId"], "clientSecret": cached["clientSecret"],
            });
            traffic.push(renewal);
        }
        if let Some(token) = case.get("expectedToken").and_then(Value::as_str) {
            traffic.push(portal(token));
        }
        let now = case["currentTime"].as_str().expect("a time");
        let script = script(&cached.to_string(), now, traffic);
        let fetched = fetch(&script);
        hides(&format!("{fetched:?}"));
        assert_eq!(script.differs.take(), [""; 0], "{docs}");
        assert_eq!(script.asked.borrow().len(), script.traffic.len(), "{docs}");
        if case.get("fails").is_some() {
            let error = fetched.expect_err("no token").to_string();
            assert!(error.contains("run `aws sso login --profile test`"), "{docs}: {error}");
            continue;
        }
        let fetched = fetched.expect("keys");
        assert_eq!(fetched.source, "profile test, SSO, role a b of account 1", "{docs}");
        assert_eq!(fetched.credentials.secret_access_key(), "hush-key");
        assert_eq!(fetched.credentials.session_token(), Some("hush-session"));
        let end = fetched.credentials.expires_at().map(Timestamp::unix_seconds);
        assert_eq!(end, Some(1_900_000_000));
        let written = script.written.borrow();
        let written = written.get(TOKEN).map(|it| serde_json::from_str::<Value>(it).expect("JSON"));
        assert_eq!(written.as_ref(), case.get("expectedTokenWriteback"), "{docs}");
    }
}

const NOW: &str = "2021-12-25T13:30:00Z";

/// A token that ends at this time and can be renewed.
fn token(end: &str) -> String {
    json!({
        "accessToken": "cachedtoken", "expiresAt": end, "refreshToken": "cachedrefreshtoken",
        "clientId": "id", "clientSecret": "YSBzZWNyZXQ=", "registrationExpiresAt": "2022-12-25T00:00:00Z",
    })
    .to_string()
}

#[test]
fn a_token_that_is_still_good_serves_where_it_cannot_be_renewed() {
    let refused = oidc(400, &json!({"error": "invalid_grant", "error_description": "no"}));
    let script =
        script(&token("2021-12-25T13:32:00UTC"), NOW, vec![refused, portal("cachedtoken")]);
    let fetched = fetch(&script).expect("keys");
    assert!(fetched.source.contains("could not be renewed"), "{}", fetched.source);
    assert!(fetched.source.contains("400: invalid_grant: no"), "{}", fetched.source);
    assert_eq!(script.differs.take(), [""; 0]);
    hides(&fetched.source);
}

#[test]
fn a_token_that_has_ended_and_cannot_be_renewed_says_what_to_do() {
    for answer in [
        oidc(400, &json!({"error": "invalid_grant"})),
        oidc(200, &json!({"accessToken": "newtoken"})),
        oidc(400, &json!({"error": "of cachedtoken", "error_description": "cachedrefreshtoken"})),
        oidc(400, &json!({"message": "not YSBzZWNyZXQ="})),
        json!({"method": "POST", "uri": OIDC, "status": 200, "body": "newtoken"}),
    ] {
        let script = script(&token("2021-12-25T13:00:00Z"), NOW, vec![answer]);
        let error = fetch(&script).expect_err("ended").to_string();
        assert!(error.contains("run `aws sso login --profile test`"), "{error}");
        assert!(error.contains("oidc.us-west-2.amazonaws.com"), "{error}");
        hides(&error);
    }
}

#[test]
fn a_token_that_somebody_else_renews_meanwhile_is_taken() {
    let mut refused = oidc(400, &json!({"error": "invalid_grant"}));
    let other = token("2021-12-25T21:30:00Z").replace("cachedtoken", "newtoken");
    refused["meanwhile"] = json!({TOKEN: other});
    let script = script(&token("2021-12-25T13:00:00Z"), NOW, vec![refused, portal("newtoken")]);
    let fetched = fetch(&script).expect("keys");
    assert_eq!(script.differs.take(), [""; 0]);
    assert_eq!(fetched.source, "profile test, SSO, role a b of account 1");
}

#[test]
fn a_renewed_token_that_cannot_be_kept_serves_and_is_told() {
    let renewed = oidc(200, &json!({"accessToken": "newtoken", "expiresIn": 100}));
    let script = script(&token("2021-12-25T13:00:00Z"), NOW, vec![renewed, portal("newtoken")]);
    let script = Script { is_read_only: true, ..script };
    let fetched = fetch(&script).expect("keys");
    assert!(fetched.source.contains("could not be kept") && fetched.source.contains(TOKEN));
    hides(&fetched.source);
}

#[test]
fn what_the_portal_refuses_is_told_with_a_way_out() {
    let message = "No access, not with cachedtoken";
    let said = json!({"message": message, "__type": "com.amazonaws#ForbiddenException"});
    for (status, words) in
        [(401, "run `aws sso login"), (403, "ForbiddenException: No access, not with ***")]
    {
        let answer = json!({
            "method": "GET", "uri": PORTAL, "status": status, "body": said.to_string(),
        });
        let script = script(&token("2021-12-25T21:30:00Z"), NOW, vec![answer]);
        let error = fetch(&script).expect_err("refused").to_string();
        assert!(error.contains(words) && error.contains("profile test"), "{error}");
        assert_eq!(script.asked.borrow().len(), 1);
        hides(&error);
    }
    for body in [KEYS.replace("ASIA", ""), KEYS.replace("1900000000123", "\"hush\""), "hush".into()]
    {
        let mut answer = portal("cachedtoken");
        answer["body"] = json!(body);
        let script = script(&token("2021-12-25T21:30:00Z"), NOW, vec![answer]);
        hides(&fetch(&script).expect_err("no keys").to_string());
    }
}

#[test]
fn services_can_be_elsewhere_and_a_region_leads_nowhere_else() {
    let env = [
        ("HOME", "/h"),
        ("AWS_PROFILE", "test"),
        ("AWS_ENDPOINT_URL_SSO", "http://127.0.0.1:1/portal"),
        ("AWS_ENDPOINT_URL_SSO_OIDC", "http://127.0.0.1:2"),
    ];
    let answer = json!({"accessToken": "newtoken", "expiresIn": 1000}).to_string();
    let mut keys = portal("newtoken");
    keys["uri"] =
        json!("http://127.0.0.1:1/portal/federation/credentials?account_id=1&role_name=a%20b");
    let uri = "http://127.0.0.1:2/token";
    let renewal = json!({"method": "POST", "uri": uri, "status": 200, "body": answer});
    let mut script = script(&token("2021-12-25T13:00:00Z"), NOW, vec![renewal, keys]);
    let error = now(chain(&env).fetch(&script)).expect_err("no such machine is this one");
    assert!(error.to_string().contains("plain HTTP"), "{error}");
    assert!(script.asked.borrow().is_empty(), "SEC-3");
    script.loopback = vec!["127.0.0.1"];
    now(chain(&env).fetch(&script)).expect("keys");
    assert_eq!(script.differs.take(), [""; 0]);

    let config = CONFIG.replace("us-west-2", "evil.example/");
    let files = [("/h/.aws/config".to_owned(), config)].into();
    let script = Script { files, ..Script::default() };
    let error = fetch(&script).expect_err("no region").to_string();
    assert!(error.contains("sso_region"), "{error}");
    assert!(script.asked.borrow().is_empty(), "SEC-3");
}

#[test]
fn the_keys_of_a_sign_in_assume_roles() {
    let answer = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE\
        </AccessKeyId><SecretAccessKey>hush</SecretAccessKey><SessionToken>t</SessionToken>\
        <Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
        </AssumeRoleResponse>";
    let sts = json!({
        "method": "POST", "uri": "https://sts.us-east-1.amazonaws.com/", "status": 200,
        "body": answer, "headers": {"x-amz-security-token": "hush-session"},
    });
    let traffic = vec![portal("cachedtoken"), sts];
    let script = script(&token("2021-12-25T21:30:00Z"), NOW, traffic);
    let fetched = now(chain(&[("HOME", "/h"), ("AWS_PROFILE", "role")]).fetch(&script));
    let fetched = fetched.expect("keys");
    assert_eq!(script.differs.take(), [""; 0]);
    assert_eq!(fetched.credentials.access_key_id(), "ASIAROLE");
    assert_eq!(fetched.source, "profile role, SSO, role a b of account 1, role arn:r");
}
