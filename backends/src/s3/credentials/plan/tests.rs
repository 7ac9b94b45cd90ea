//! AWS's own cases of profiles that assume roles (`tests/data/aws-config`).

use serde_json::Value;

use super::*;

const CASES: &str = include_str!("../../../../tests/data/aws-config/assume-role-tests.json");

fn profiles(case: &Value) -> Profiles {
    let profiles = case["input"]["profiles"].as_object().expect("profiles");
    let pairs = profiles.iter().map(|(name, properties)| {
        let properties = properties.as_object().expect("properties");
        let pairs = properties.iter().map(|(name, it)| (&**name, it.as_str().expect("text")));
        (name.clone(), Properties::of_pairs(pairs))
    });
    pairs.collect()
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

#[test]
fn the_published_cases_end_as_published() {
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("cases");
    assert_eq!(cases.len(), 28);
    for case in &cases {
        let docs = &case["docs"];
        let selected = case["input"]["selected_profile"].as_str().expect("a name");
        let planned = plan(&profiles(case), selected);
        let Some(chain) = case["output"]["ProfileChain"].as_array() else {
            // Nothing about credentials is no error here: the next source is asked.
            assert!(planned.is_err() || planned == Ok(None), "{docs}: {planned:?}");
            continue;
        };
        if chain[0].get("Sso").is_some() {
            let error = planned.expect_err("not spoken");
            assert!(matches!(error, CredentialsError::Unsupported { .. }), "{docs}: {error}");
            continue;
        }
        let planned = planned.expect("a plan").expect("credentials");
        assert_eq!(planned.base, base_of(&chain[0]), "{docs}");
        let roles: Vec<Role> = chain[1..].iter().map(role_of).collect();
        assert_eq!(planned.roles, roles, "{docs}");
    }
}

fn base_of(link: &Value) -> Base {
    if let Some(keys) = link.get("AccessKey") {
        let part = |name| text(keys, name).expect("a key");
        let keys = Credentials::new(part("access_key_id"), part("secret_access_key"), None, None);
        return Base::Keys(keys.expect("keys"));
    }
    if let Some(token) = link.get("WebIdentityToken") {
        return Base::WebIdentity(WebIdentity {
            token_file: text(token, "web_identity_token_file").expect("a file"),
            role_arn: text(token, "role_arn").expect("a role"),
            session_name: text(token, "role_session_name"),
        });
    }
    match link.get("NamedSource").and_then(Value::as_str) {
        Some("Ec2InstanceMetadata") => Base::InstanceMetadata,
        other => panic!("{other:?}"),
    }
}

fn role_of(link: &Value) -> Role {
    let role = &link["AssumeRole"];
    Role {
        arn: text(role, "role_arn").expect("a role"),
        session_name: text(role, "role_session_name"),
        external_id: text(role, "external_id"),
        duration_s: None,
    }
}

#[test]
fn what_cannot_be_followed_is_told_with_the_profile() {
    let config = "[profile mfa]\nrole_arn = r\nsource_profile = k\nmfa_serial = m\n\
        [profile k]\naws_access_key_id = A\naws_secret_access_key = hush\n\
        [profile odd]\nrole_arn = r\ncredential_source = Elsewhere\n\
        [profile time]\nrole_arn = r\nsource_profile = k\nduration_seconds = long\n\
        [profile half]\naws_secret_access_key = hush\n";
    let profiles = Profiles::parse(config, "").expect("readable");
    for name in ["mfa", "odd", "time", "half"] {
        let error = plan(&profiles, name).expect_err(name).to_string();
        assert!(error.contains(name) && !error.contains("hush"), "{error}");
    }
    assert_eq!(plan(&profiles, "not there"), Ok(None));
}

#[test]
fn profiles_in_a_row_have_an_end() {
    let mut config = String::new();
    for number in 0..=SOURCE_PROFILES_MAX {
        let next = number + 1;
        config += &format!("[profile p{number}]\nrole_arn = r\nsource_profile = p{next}\n");
    }
    let profiles = Profiles::parse(&config, "").expect("readable");
    assert!(plan(&profiles, "p0").expect_err("too many").to_string().contains("without end"));
}
