//! Credentials from where people keep them: files, commands, services of containers and instances, a
//! provider of the program's own; renewed while transfers run, and told to nobody.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use hydrant::s3::credentials::{Credentials, CredentialsError, Identity, Provider};
use hydrant::s3::time::{Iso8601, Timestamp};
use hydrant::s3::*;
use hydrant::{Bytes, Class, ErrorKind, Hydrant, PutOptions};
use hydrant_tests::{BUCKET, PART, Peer, World, client_with, noise, program, wait_until};

/// A client of the world whose environment has these variables and no keys.
fn client_of(world: &World, variables: &[(&str, String)]) -> Hydrant {
    let mut env: HashMap<String, String> = HashMap::new();
    env.insert("AWS_ENDPOINT_URL".into(), world.server().url());
    for (name, value) in variables {
        env.insert((*name).into(), value.clone());
    }
    world.client_with(|builder| builder.env(move |name| env.get(name).cloned()))
}

fn keys_of(world: &World) -> (String, String) {
    let [_, (_, id), (_, secret), ..] = world.env();
    (id, secret)
}

/// The document of a service or a command: keys of the world with this token, good for so long.
fn document(world: &World, token: &str, life_s: u64) -> String {
    let (id, secret) = keys_of(world);
    let end = Iso8601(Timestamp::from(SystemTime::now() + Duration::from_secs(life_s)));
    format!(
        r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}","Token":"{token}",
        "SessionToken":"{token}","Expiration":"{end}"}}"#
    )
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn works(hydrant: &Hydrant) -> Signer {
    let client = hydrant.s3(BUCKET).expect("a bucket");
    client.send(PutObject::new("key", &b"hello"[..])).wait().expect("put");
    client.who_signs().wait().expect("somebody")
}

#[track_caller]
fn comes_from(signer: &Signer, words: &str) {
    match signer {
        Signer::Keys { source, .. } => assert!(source.contains(words), "{source}"),
        Signer::Nobody => panic!("nobody signs"),
    }
}

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

#[test]
fn a_server_of_ones_own_is_asked_unsigned_where_nothing_is_set_up() {
    let world = World::with(tempfile::tempdir().expect("a folder"), |config| {
        config.credentials = None;
    });
    assert_eq!(works(&client_of(&world, &[])), Signer::Nobody);
}

#[test]
fn a_role_is_assumed_with_a_token_from_a_file() {
    let world = Arc::new(World::new());
    let inside = Arc::clone(&world);
    let sts = Peer::start(move |seen, wire| {
        let form = String::from_utf8(wire.receive_body()?).expect("a form");
        assert!(
            form.contains("Action=AssumeRoleWithWebIdentity")
                && form.contains("WebIdentityToken=jwt")
        );
        assert_eq!(seen.header("authorization"), None);
        let (id, secret) = keys_of(&inside);
        let end = Iso8601(Timestamp::from(SystemTime::now() + Duration::from_secs(3600)));
        let action = "AssumeRoleWithWebIdentity";
        let body = format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>{id}</AccessKeyId>\
             <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>{end}</Expiration></Credentials></{action}Result></{action}Response>"
        );
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head.as_bytes())?;
        wire.send(body.as_bytes())
    });
    let token = world.file("jwt");
    fs::write(&token, "jwt\n").unwrap();
    let hydrant = client_of(
        &world,
        &[
            ("AWS_ENDPOINT_URL_STS", sts.url()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", path_text(&token)),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r".to_owned()),
        ],
    );
    comes_from(&works(&hydrant), "web identity, role arn:aws:iam::1:role/r");
}

/// A home with a profile that signs in, and the token that this has left: ended, and to be renewed.
fn home_of_sign_in(world: &World, access: &str, refresh: &str, secret: &str) -> PathBuf {
    let home = world.file("home");
    fs::create_dir_all(home.join(".aws/sso/cache")).unwrap();
    let config = "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = reader\n\
        [sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://x.awsapps.com/start\n";
    fs::write(home.join(".aws/config"), config).unwrap();
    let token = format!(
        r#"{{"startUrl":"https://x.awsapps.com/start","region":"eu-west-1","accessToken":"{access}",
        "expiresAt":"2020-01-01T00:00:00Z","clientId":"the-program","clientSecret":"{secret}",
        "registrationExpiresAt":"2099-01-01T00:00:00Z","refreshToken":"{refresh}"}}"#
    );
    fs::write(home.join(".aws/sso/cache").join(TOKEN_OF_S), token).unwrap();
    home
}

/// The SHA-1 of `s`.
const TOKEN_OF_S: &str = "a0f1490a20d0211c997b44bc357e1972deab8ae3.json";

/// Both services of a sign-in. `renewed` is the next token, with the next refresh token, and `keys`
/// what the role gets.
fn sign_in_services(renewed: &'static str, next: &'static str, keys: [String; 3]) -> Peer {
    Peer::start(move |seen, wire| {
        let sent = String::from_utf8(wire.receive_body()?).expect("text");
        let body = match (&*seen.method, &*seen.target) {
            ("POST", "/oidc/token") if sent.contains("\"grantType\": \"refresh_token\"") => {
                format!(
                    r#"{{"accessToken":"{renewed}","expiresIn":28800,"refreshToken":"{next}"}}"#
                )
            }
            ("GET", "/federation/credentials?account_id=123456789012&role_name=reader")
                if seen.header("x-amz-sso_bearer_token") == Some(renewed) =>
            {
                let [id, secret, token] = &keys;
                format!(
                    r#"{{"roleCredentials":{{"accessKeyId":"{id}","secretAccessKey":"{secret}",
                    "sessionToken":"{token}","expiration":4102444800000}}}}"#
                )
            }
            other => panic!("{other:?}"),
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head.as_bytes())?;
        wire.send(body.as_bytes())
    })
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

/// A provider of keys of the world whose token is a number that grows, and how often it was asked.
fn counting(world: &World, life: Option<Duration>) -> (Provider, Arc<AtomicU64>) {
    let ((id, secret), asked) = (keys_of(world), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&asked);
    let provider = Provider::new(move || {
        let token = format!("token-{}", count.fetch_add(1, SeqCst));
        let end = life.map(|life| Timestamp::from(SystemTime::now() + life));
        Credentials::new(id.clone(), secret.clone(), Some(token), end)
    });
    (provider, asked)
}

#[test]
fn a_transfer_outlives_its_credentials() {
    let world = World::new();
    // Good for a second or two, they are counted whole: five before the end they are not used any more.
    let (provider, asked) = counting(&world, Some(Duration::from_secs(7)));
    let hydrant = world.client_with(|builder| {
        builder.s3(|s3| s3.identity = Some(Identity::Provider(provider.clone())))
    });
    let place = hydrant.locate(&world.uri("s3", "long")).expect("a URI");
    let mut writer = place.store.writer(&place.key, PutOptions::default()).expect("a writer");
    let data = noise(7, 2 * PART);
    let mut written = Vec::new();
    while asked.load(SeqCst) < 4 {
        writer.write_wait(&data).expect("written");
        written.extend_from_slice(&data);
        std::thread::sleep(Duration::from_millis(300));
    }
    writer.finish_wait().expect("whole");
    assert!(fs::read(world.object("long")).expect("an object") == written);
}

/// A server that takes one token alone, and calls all others expired.
#[test]
fn a_token_that_a_server_calls_expired_is_renewed_once() {
    let good = Arc::new(AtomicUsize::new(0));
    let expected = Arc::clone(&good);
    let peer = Peer::start(move |seen, wire| {
        let expected = format!("token-{}", expected.load(SeqCst));
        if seen.header("x-amz-security-token") == Some(&expected) {
            return wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        let body = "<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>";
        let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head.as_bytes())?;
        wire.send(body.as_bytes())
    });
    let world = World::new();
    let (provider, asked) = counting(&world, None);
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| s3.identity = Some(Identity::Provider(provider)))
    });
    let client = hydrant.s3(BUCKET).expect("a bucket");
    for round in 0..3 {
        good.store(round, SeqCst);
        let all: Vec<_> = (0..8).map(|_| client.send(DeleteObject::new("key"))).collect();
        for one in all {
            one.wait().expect("with the new token");
        }
        assert_eq!(asked.load(SeqCst), round as u64 + 1, "one renewal for all");
    }
    // A source that gives what nobody takes is asked once more, and then the error is told.
    good.store(99, SeqCst);
    let error = client.send(DeleteObject::new("key")).wait().expect_err("expired");
    assert!(error.to_string().contains("ExpiredToken"), "{error}");
    assert_eq!(asked.load(SeqCst), 4);
}

/// A HEAD has no document that could say that a token has expired.
#[test]
fn a_token_that_a_head_is_refused_with_is_renewed_once() {
    for (status, renewal_wait) in [("400 Bad Request", 0), ("403 Forbidden", 3600)] {
        let good = Arc::new(AtomicUsize::new(1));
        let expected = Arc::clone(&good);
        let peer = Peer::start(move |seen, wire| {
            let expected = format!("token-{}", expected.load(SeqCst));
            let good = seen.header("x-amz-security-token") == Some(&expected);
            let status = if good { "200 OK" } else { status };
            wire.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
        });
        let (provider, asked) = counting(&World::new(), None);
        let hydrant = client_with(&peer.url(), |builder| {
            builder.cores(1).s3(|s3| {
                s3.identity = Some(Identity::Provider(provider));
                s3.retry.renewal_wait = Duration::from_secs(renewal_wait);
            })
        });
        let client = hydrant.s3(BUCKET).expect("a bucket");
        let all: Vec<_> = (0..8).map(|_| client.send(HeadObject::new("key"))).collect();
        for one in all {
            one.wait().expect("with the new token");
        }
        assert_eq!(asked.load(SeqCst), 2, "one renewal for all");
        // Where new ones are refused as well they are not to blame, and within the time nobody asks.
        good.store(99, SeqCst);
        let before = peer.seen().len();
        for _ in 0..3 {
            let error = client.send(HeadObject::new("key")).wait().expect_err("refused");
            assert!(matches!(error.kind(), ErrorKind::S3(_)), "{error}");
        }
        let (more, requests) = if renewal_wait == 0 { (3, 6) } else { (0, 3) };
        assert_eq!(asked.load(SeqCst), 2 + more, "{status}");
        assert_eq!(peer.seen().len(), before + requests, "{status}");
    }
}

/// A refusal may well mean what it says: what serves goes on to serve where the source is away.
#[test]
fn credentials_that_a_head_is_refused_with_serve_until_there_are_others() {
    let peer = Peer::start(move |seen, wire| {
        let status = if seen.method == "HEAD" { "403 Forbidden" } else { "204 No Content" };
        wire.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
    });
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let provider = Provider::new(move || match count.fetch_add(1, SeqCst) {
        0 => Credentials::new("AKID", "secret", None, None),
        _ => Err(CredentialsError::provider("the vault is closed")),
    });
    let hydrant = client_with(&peer.url(), |builder| {
        builder.s3(|s3| s3.identity = Some(Identity::Provider(provider)))
    });
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let error = client.send(HeadObject::new("key")).wait().expect_err("refused");
    assert!(error.to_string().contains("HTTP 403"), "{error}");
    assert_eq!((asked.load(SeqCst), peer.seen().len()), (2, 1));
    client.send(DeleteObject::new("key")).wait().expect("signed as before");
}

#[test]
fn a_provider_that_fails_is_left_alone_for_a_moment_and_asked_again() {
    let world = World::new();
    let ((id, secret), asked) = (keys_of(&world), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    let provider = Provider::new(move || match count.fetch_add(1, SeqCst) {
        0 => Err(CredentialsError::provider("the vault is closed")),
        _ => Credentials::new(id.clone(), secret.clone(), None, None),
    });
    let hydrant = world
        .client_with(|builder| builder.s3(|s3| s3.identity = Some(Identity::Provider(provider))));
    let client = hydrant.s3(BUCKET).expect("a bucket");
    let all: Vec<_> = (0..8).map(|_| client.send(HeadBucket::default())).collect();
    let errors = all.into_iter().filter_map(|one| one.wait().err());
    for error in errors {
        assert!(error.to_string().contains("the vault is closed"), "{error}");
    }
    wait_until("it is asked again", || client.send(HeadBucket::default()).wait().is_ok());
    assert_eq!(asked.load(SeqCst), 2);
    let url = client.presign(&GetObject::new("k"), Duration::from_secs(60)).expect("presigned");
    assert!(url.url.contains("X-Amz-Signature="));
}

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

/// SEC-1: a log at its most talkative, errors and `Debug` of all that holds secrets.
#[test]
fn secrets_appear_nowhere() {
    let world = World::new();
    let said = |text: String| {
        let key = [CANARY_SSE_C.to_owned(), format!("{:?}", CANARY_SSE_C.as_bytes())];
        let secrets = [CANARY_SECRET, CANARY_TOKEN, &key[0], key[1].trim_matches(['[', ']'])];
        for secret in secrets.into_iter().chain(CANARY_SSO) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(!text.is_empty());
    };
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
