//! Files, commands and services that give keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use hydrant::s3::{HeadBucket, Signer};
use hydrant::{Class, ErrorKind};
use hydrant_tests::{BUCKET, Peer, World, client_with, wait_until};

use super::{
    TOKEN_OF_S, client_of, comes_from, document, home_of_sign_in, keys_of, path_text,
    sign_in_services, works,
};

#[test]
fn a_profile_says_where_to_and_as_whom() {
    let world = World::new();
    let (id, secret) = keys_of(&world);
    let (config, keys) = (world.file("config"), world.file("credentials"));
    let url = world.server().url();
    fs::write(&config, format!("[profile p]\nregion = us-east-1\nendpoint_url = {url}\n")).unwrap();
    let text = format!("[p]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    fs::write(&keys, text).unwrap();
    let env = [
        ("AWS_CONFIG_FILE", path_text(&config)),
        ("AWS_SHARED_CREDENTIALS_FILE", path_text(&keys)),
        ("AWS_PROFILE", "p".to_owned()),
    ];
    let hydrant = client_with("", |builder| {
        let env = env.clone();
        builder.s3(|s3| s3.identity = None).env(move |name| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        })
    });
    comes_from(&works(&hydrant), "profile p");
}

#[test]
fn a_command_gives_keys_and_one_that_fails_is_told() {
    let world = World::new();
    let config = world.file("config");
    let hydrant = |command: &str| {
        fs::write(&config, format!("[default]\ncredential_process = {command}\n")).unwrap();
        client_of(&world, &[("AWS_CONFIG_FILE", path_text(&config))])
    };
    let output = world.file("output.json");
    fs::write(&output, document(&world, "token", 3600)).unwrap();
    comes_from(&works(&hydrant(&format!("cat '{}'", output.display()))), "credential_process");

    let failing = hydrant("echo hush; exit 7");
    let client = failing.s3(BUCKET).expect("a bucket");
    let error = client.send(HeadBucket::default()).wait().expect_err("no keys");
    assert!(matches!(error.kind(), ErrorKind::Credentials(_)), "{error}");
    assert_eq!(error.class(), Class::Config);
    let text = error.to_string();
    assert!(text.contains("exit status: 7") && !text.contains("hush"), "{text}");
}

#[test]
fn a_container_gives_keys_to_whoever_shows_the_token_of_the_day() {
    let world = Arc::new(World::new());
    let (inside, token) = (Arc::clone(&world), world.file("token"));
    let expected = token.clone();
    let service = Peer::start(move |seen, wire| {
        let good = seen.header("authorization") == fs::read_to_string(&expected).ok().as_deref();
        // Over soon, so that it is asked again.
        let body = document(&inside, "token", if good { 9 } else { 0 });
        let status = if good && seen.target == "/keys" { "200 OK" } else { "403 Forbidden" };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head.as_bytes())?;
        wire.send(body.as_bytes())
    });
    fs::write(&token, "Basic one").unwrap();
    let hydrant = client_of(
        &world,
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/keys", service.url())),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path_text(&token)),
        ],
    );
    comes_from(&works(&hydrant), "container");
    fs::write(&token, "Basic two").unwrap();
    // Whole seconds: those before were good for three or four.
    let client = hydrant.s3(BUCKET).expect("a bucket");
    wait_until("the new token has been shown", || {
        client.send(HeadBucket::default()).wait().expect("still good");
        service.seen().iter().any(|seen| seen.header("authorization") == Some("Basic two"))
    });
}

#[test]
fn an_instance_gives_keys_for_a_token_and_nobody_else_asks_it() {
    let world = Arc::new(World::new());
    let inside = Arc::clone(&world);
    let service = Peer::start(move |seen, wire| {
        let body = match (&*seen.method, &*seen.target) {
            ("PUT", "/latest/api/token") => "imds-token".to_owned(),
            ("GET", _) if seen.header("x-aws-ec2-metadata-token") != Some("imds-token") => {
                return wire.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
            }
            (_, "/latest/meta-data/iam/security-credentials/") => "the-role\n".to_owned(),
            (_, "/latest/meta-data/iam/security-credentials/the-role") => {
                document(&inside, "token", 3600)
            }
            other => panic!("{other:?}"),
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head.as_bytes())?;
        wire.send(body.as_bytes())
    });
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url());
    // A machine under load may take longer than the second that there is by default.
    let patience = ("AWS_METADATA_SERVICE_TIMEOUT", "30".to_owned());
    let hydrant = client_of(&world, &[endpoint.clone(), patience]);
    comes_from(&works(&hydrant), "role the-role");
    hydrant.s3("other").expect("a name").who_signs().wait().expect("the same");
    assert_eq!(service.seen().len(), 3, "two stores, one source");

    let (id, secret) = keys_of(&world);
    let keys = [endpoint, ("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
    works(&client_of(&world, &keys));
    assert_eq!(service.seen().len(), 3, "what the environment has is not asked for");
}

/// An instance's service that is too slow to be of use is an error that says so, in the time that it has.
#[test]
fn an_instance_that_never_answers_is_told_and_not_waited_for() {
    let world = World::new();
    // Until the client goes away.
    let service = Peer::start(|_, wire| wire.receive_rest().map(drop));
    let client = client_of(
        &world,
        &[
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url()),
            ("AWS_METADATA_SERVICE_TIMEOUT", "1".to_owned()),
            ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "2".to_owned()),
        ],
    );
    let client = client.s3(BUCKET).expect("a bucket");
    let error = client.send(HeadBucket::default()).wait().expect_err("no keys");
    assert!(matches!(error.kind(), ErrorKind::Credentials(_)), "{error}");
    assert!(error.to_string().contains("instance metadata"), "{error}");
    assert_eq!(service.seen().len(), 2, "{error}");
    assert_eq!(world.server().stats().requests(), 0, "{error}");
}

#[test]
fn a_server_of_ones_own_is_asked_unsigned_where_nothing_is_set_up() {
    let world = World::with(tempfile::tempdir().expect("a folder"), |config| {
        config.credentials = None;
    });
    assert_eq!(works(&client_of(&world, &[])), Signer::Nobody);
}

#[test]
fn a_sign_in_gives_keys_and_its_token_is_renewed_and_kept() {
    let world = World::new();
    let home = home_of_sign_in(&world, "old", "refresh-1", "of-the-client");
    let (id, secret) = keys_of(&world);
    let services = sign_in_services("new", "refresh-2", [id, secret, "session".to_owned()]);
    let env = [
        ("HOME", path_text(&home)),
        ("AWS_ENDPOINT_URL_SSO", services.url()),
        ("AWS_ENDPOINT_URL_SSO_OIDC", format!("{}/oidc", services.url())),
    ];
    comes_from(&works(&client_of(&world, &env)), "SSO, role reader of account 123456789012");
    assert_eq!(services.seen().len(), 2);
    let token = home.join(".aws/sso/cache").join(TOKEN_OF_S);
    let text = fs::read_to_string(&token).unwrap();
    for part in ["\"accessToken\": \"new\"", "\"refreshToken\": \"refresh-2\"", "of-the-client"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    // The next program has it from the file.
    works(&client_of(&world, &env));
    let asked: Vec<_> = services.seen().iter().map(|seen| seen.method.clone()).collect();
    assert_eq!(asked, ["POST", "GET", "GET"]);

    fs::remove_file(&token).unwrap();
    let client = client_of(&world, &env).s3(BUCKET).expect("a bucket");
    let error = client.send(HeadBucket::default()).wait().expect_err("no token");
    assert_eq!(error.class(), Class::Config);
    assert!(error.to_string().contains("run `aws sso login --profile default`"), "{error}");
}
