//! Secrets are told to nobody (SEC-1).

use std::fs;
use std::time::Duration;

use hydrant::s3::credentials::{Credentials, Identity, Provider};
use hydrant::s3::{CustomerKey, GetObject, PutObject, UploadPart};
use hydrant::{Bytes, PutOptions};
use hydrant_tests::{BUCKET, PART, Peer, World, client_with, noise, program};

use super::roles::sts;
use super::{home_of_sign_in, path_text, sign_in_services};

const CANARY_SECRET: &str = "canary-secret-access-key-7d1f";

const CANARY_TOKEN: &str = "canary-session-token-93ab";

const CANARY_SSE_C: &str = "canary-customer-key-32-bytes-lon";

const CANARY_SSO: [&str; 5] = [
    "canary-sso-access-0",
    "canary-sso-access-1",
    "canary-sso-refresh-0",
    "canary-sso-refresh-1",
    "canary-sso-client-secret",
];

/// Text that somebody may read, and that is there.
#[track_caller]
fn said(text: String) {
    let key = [CANARY_SSE_C.to_owned(), format!("{:?}", CANARY_SSE_C.as_bytes())];
    let secrets = [CANARY_SECRET, CANARY_TOKEN, &key[0], key[1].trim_matches(['[', ']'])];
    for secret in secrets.into_iter().chain(CANARY_SSO) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(!text.is_empty());
}

/// A world whose server knows the secret, so that what is asked of it succeeds.
fn world_in_the_know() -> World {
    World::with(tempfile::tempdir().expect("a folder"), |config| {
        config.credentials = Some(hydrant_server::Credentials::new("AKIDCANARY", CANARY_SECRET));
    })
}

/// The same of what succeeds: the program's log, with keys from the environment and from a role.
#[test]
fn secrets_appear_in_no_log_of_what_succeeds() {
    let world = world_in_the_know();
    let sts = sts(|_| ["AKIDCANARY", CANARY_SECRET, CANARY_TOKEN].map(str::to_owned), |_, _| {});
    let config = world.file("config");
    let text = format!(
        "[default]\nrole_arn = arn:aws:iam::1:role/canary\nsource_profile = base\n\
         [profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = {CANARY_SECRET}\n\
         aws_session_token = {CANARY_TOKEN}\n"
    );
    fs::write(&config, text).unwrap();
    let [small, large, back] = ["small", "large", "back"].map(|name| path_text(&world.file(name)));
    fs::write(&small, noise(1, 1000)).unwrap();
    fs::write(&large, noise(2, 2 * PART + 7)).unwrap();
    let [to, parts, copied] = ["key", "parts", "copy"].map(|key| format!("s3://{BUCKET}/{key}"));
    for by_role in [false, true] {
        for arguments in [
            ["cp", &small, &to].as_slice(),
            &["cp", &large, &parts, "--part-size", "5MiB"],
            &["cp", &parts, &back],
            &["cp", &parts, &copied, "--part-size", "5MiB"],
            &["stat", &to],
            &["ls", &to],
            &["verify", &parts, &large],
            &["rm", &copied],
        ] {
            let mut command = program(&world, arguments);
            command.args(["--log", "trace"]);
            if by_role {
                command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
                command.env("AWS_CONFIG_FILE", &config).env("AWS_ENDPOINT_URL_STS", sts.url());
            } else {
                command.env("AWS_ACCESS_KEY_ID", "AKIDCANARY");
                command.env("AWS_SECRET_ACCESS_KEY", CANARY_SECRET);
                command.env("AWS_SESSION_TOKEN", CANARY_TOKEN);
            }
            let output = command.output().expect("it runs");
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {text}");
            assert!(text.contains("TRACE") || text.contains("DEBUG"), "it talks: {text}");
            said(text);
        }
        assert!(fs::read(&back).unwrap() == noise(2, 2 * PART + 7));
    }
    assert!(!sts.seen().is_empty(), "the role was assumed");
}

/// And what the library's values show of it.
#[test]
fn secrets_appear_in_no_value_of_what_succeeds() {
    let world = world_in_the_know();
    let keys = Credentials::new("AKIDCANARY", CANARY_SECRET, Some(CANARY_TOKEN.into()), None);
    let identity = Identity::Keys(keys.expect("keys"));
    let hydrant =
        world.client_with(|builder| builder.s3(|s3| s3.identity = Some(identity.clone())));
    let client = hydrant.s3(BUCKET).expect("a bucket");
    said(format!("{:?}", client.send(PutObject::new("key", &b"x"[..])).wait().expect("put")));
    said(format!("{:?}", client.get_object(GetObject::new("key"), 10).wait().expect("read").0));
    said(format!("{:?}", client.who_signs().wait().expect("somebody")));
    let presigned = client.presign(&GetObject::new("key"), Duration::from_secs(60));
    let presigned = presigned.expect("presigned");
    assert!(presigned.url.contains(CANARY_TOKEN), "it is for whoever may use it");
    said(format!("{presigned:?}"));

    // With a key of the customer, by a server that takes one, and repeats what it may.
    let peer = Peer::start(|seen, wire| {
        wire.receive_body()?;
        assert!(seen.header("x-amz-server-side-encryption-customer-key").is_some());
        wire.send(
            b"HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 1\r\n\
              x-amz-server-side-encryption-customer-algorithm: AES256\r\n\r\nx",
        )
    });
    let hydrant = client_with(&peer.url(), |builder| builder.s3(|s3| s3.identity = Some(identity)));
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let key = || Some(CustomerKey::new(CANARY_SSE_C.as_bytes().try_into().expect("32 bytes")));
    let mut get = GetObject::new("key");
    get.customer_key = key();
    said(format!("{get:?}"));
    said(format!("{:?}", client.get_object(get, 10).wait().expect("read").0));
    let mut part = UploadPart::new("key", "upload", 1, Bytes::from_static(b"x"));
    part.customer_key = key();
    said(format!("{part:?}"));
    said(format!("{:?}", client.send(part).wait().expect("stored")));
}

/// SEC-1: a log at its most talkative, errors and `Debug` of all that holds secrets.
#[test]
fn secrets_appear_nowhere() {
    let world = World::new();
    // The program, with credentials that are refused.
    let uri = format!("s3://{BUCKET}/key");
    let file = path_text(&world.file("file"));
    fs::write(&file, noise(1, 1000)).unwrap();
    let profile = world.file("credentials");
    let text = format!(
        "[default]\naws_access_key_id = AKIDCANARY\naws_secret_access_key = {CANARY_SECRET}\n\
         aws_session_token = {CANARY_TOKEN}\n"
    );
    fs::write(&profile, text).unwrap();
    let [old, new, refresh, next, client_secret] = CANARY_SSO;
    let home = home_of_sign_in(&world, old, refresh, client_secret);
    let keys = ["AKIDCANARY", CANARY_SECRET, CANARY_TOKEN].map(str::to_owned);
    let services = sign_in_services(new, next, keys);
    for arguments in
        [["cp", &file, &uri].as_slice(), &["ls", &uri], &["stat", &uri], &["cat", &uri]]
    {
        for source in [None, Some("profile default"), Some("profile default, SSO")] {
            let mut command = program(&world, arguments);
            command.args(["--log", "trace"]);
            if source.is_some() {
                command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
            }
            match source {
                None => {
                    command.env("AWS_SECRET_ACCESS_KEY", CANARY_SECRET);
                    command.env("AWS_SESSION_TOKEN", CANARY_TOKEN);
                }
                Some("profile default") => {
                    command.env("AWS_SHARED_CREDENTIALS_FILE", &profile);
                }
                Some(_) => {
                    command.env("HOME", &home).env("AWS_ENDPOINT_URL_SSO", services.url());
                    let oidc = format!("{}/oidc", services.url());
                    command.env("AWS_ENDPOINT_URL_SSO_OIDC", oidc);
                }
            }
            let output = command.output().expect("it runs");
            assert_eq!(output.status.code(), Some(3), "{arguments:?}");
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            if let Some(source) = source {
                let source = format!("credentials AKIDCANARY from {source}");
                assert!(text.contains(&source), "the source is told: {text}");
            }
            said(text);
        }
    }
    assert!(services.seen().iter().any(|seen| seen.method == "POST"), "it was renewed");
    // The library: what its values show, and what its errors say.
    let keys = Credentials::new("AKIDCANARY", CANARY_SECRET, Some(CANARY_TOKEN.into()), None);
    let keys = keys.expect("keys");
    let provided = keys.clone();
    let provider = Provider::new(move || Ok(provided.clone()));
    for identity in [Identity::Keys(keys), Identity::Provider(provider)] {
        said(format!("{identity:?} {identity:#?}"));
        let hydrant = world.client_with(|builder| {
            let builder = builder.s3(|s3| s3.identity = Some(identity.clone()));
            said(format!("{builder:?}"));
            builder
        });
        let client = hydrant.s3(BUCKET).expect("a bucket");
        said(format!("{hydrant:?} {client:?} {:?}", hydrant.store(&uri).expect("a store")));
        let mut put = PutObject::new("key", Bytes::from_static(b"x"));
        let key = CANARY_SSE_C.as_bytes().try_into().expect("32 bytes");
        put.object.customer_key = Some(CustomerKey::new(key));
        said(format!("{put:?}"));
        let error = client.send(put).wait().expect_err("refused");
        said(format!("{error} {error:?}"));
        let presigned = client.presign(&GetObject::new("key"), Duration::from_secs(60));
        said(format!("{:?}", presigned.expect("presigned")));
        let place = hydrant.locate(&uri).expect("a URI");
        let put = place.store.put_with("key", Bytes::from_static(b"x"), PutOptions::default());
        let error = put.wait().expect_err("refused");
        said(format!("{error} {error:?} {place:?}"));
    }
}
