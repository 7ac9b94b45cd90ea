//! Credentials from where people keep them: files, commands, services of containers and instances, a
//! provider of the program's own; renewed while transfers run, and told to nobody.

mod renewal;
mod roles;
mod secrets;
mod sources;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hydrant::Hydrant;
use hydrant::s3::time::{Iso8601, Timestamp};
use hydrant::s3::{PutObject, Signer};
use hydrant_tests::{BUCKET, Peer, World};

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
