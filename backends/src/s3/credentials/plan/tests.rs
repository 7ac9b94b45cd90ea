//! AWS's own cases of profiles that assume roles (`tests/data/aws-config`).

use serde_json::Value;

use super::*;

const CASES: &str = include_str!("../../../../tests/data/aws-config/assume-role-tests.json");
const SSO_CASES: &str = include_str!("../../../../tests/data/aws-config/sso-token-cases.json");

fn profiles(input: &Value) -> Profiles {
    let of = |group: &str| -> Vec<(String, Properties)> {
        let sections = input.get(group).and_then(Value::as_object).into_iter().flatten();
        let read = sections.map(|(name, properties)| {
            let properties = properties.as_object().expect("properties");
            let pairs = properties.iter().map(|(name, it)| (&**name, it.as_str().expect("text")));
            (name.clone(), Properties::of_pairs(pairs))
        });
        read.collect()
    };
    let profiles: Profiles = of("profiles").into_iter().collect();
    let sessions = of("sso_sessions").into_iter();
    sessions.fold(profiles, |all, (name, properties)| all.with_sso_session(&name, properties))
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
        let planned = plan(&profiles(&case["input"]), selected);
        let Some(chain) = case["output"]["ProfileChain"].as_array() else {
            // Nothing about credentials is no error here: the next source is asked.
            assert!(planned.is_err() || planned == Ok(None), "{docs}: {planned:?}");
            continue;
        };
        if chain[0].get("Sso").is_some_and(|sso| sso.get("sso_role_name").is_none()) {
            // A sign-in without a role gives a token to some services, and no keys.
            let error = planned.expect_err("no role").to_string();
            assert!(error.contains("sso_account_id"), "{docs}: {error}");
            continue;
        }
        let planned = planned.expect("a plan").expect("credentials");
        assert_eq!(planned.base, base_of(&chain[0]), "{docs}");
        let roles: Vec<Role> = chain[1..].iter().map(role_of).collect();
        assert_eq!(planned.roles, roles, "{docs}");
    }
}

/// Those cases ask for tokens, and a token is good for keys only with a role.
#[test]
fn the_published_cases_of_sign_ins_end_as_published() {
    let cases: Value = serde_json::from_str(SSO_CASES).expect("cases");
    let cases = cases["resolution"].as_array().expect("cases");
    assert_eq!(cases.len(), 6);
    for case in cases {
        let (docs, mut input) = (&case["documentation"], case.clone());
        let profile = input["profiles"]["test"].as_object_mut().expect("a profile");
        if profile.contains_key("sso_session") {
            profile.insert("sso_account_id".into(), "1".into());
            profile.insert("sso_role_name".into(), "r".into());
        }
        let planned = plan(&profiles(&input), "test");
        match case.get("resolves").and_then(Value::as_bool) {
            Some(true) => assert!(planned.expect("a plan").is_some(), "{docs}"),
            Some(false) => assert_eq!(planned, Ok(None), "{docs}"),
            None => assert!(planned.is_err(), "{docs}: {planned:?}"),
        }
    }
}

#[test]
fn a_profile_and_its_session_do_not_contradict_each_other() {
    let config = |own: &str| {
        format!(
            "[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://x\n\
             [profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n{own}\n"
        )
    };
    let planned = |own: &str| plan(&Profiles::parse(&config(own), "").expect("readable"), "p");
    assert!(planned("sso_region = eu-west-1").is_ok());
    let error = planned("sso_region = us-east-1").expect_err("another").to_string();
    assert!(error.contains("profile p") && error.contains("sso_region"), "{error}");
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
    if let Some(sso) = link.get("Sso") {
        let part = |name| text(sso, name).expect("text");
        return Base::Sso(SignIn {
            profile: "A".to_owned(),
            session: text(sso, "sso_session"),
            start_url: part("sso_start_url"),
            region: part("sso_region"),
            account_id: part("sso_account_id"),
            role_name: part("sso_role_name"),
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
