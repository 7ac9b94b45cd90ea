//! S3 over TLS: the same bytes, and certificates that are refused at once and in plain words.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hydrant::engine::{TlsConfig, TlsConfigBuilder, TlsVersion};
use hydrant::s3::endpoint::AddressStyle;
use hydrant::s3::{ChecksumPlace, PutObject};
use hydrant::{Bytes, Class, CopyOptions, Error, Hydrant, HydrantBuilder, copy};
use hydrant_server::TlsIdentity;
use hydrant_tests::{Authority, BUCKET, Front, FrontRules, PART, World, noise, read_all};

const LOOPBACK: &str = "127.0.0.1";

fn world(identity: TlsIdentity) -> World {
    let folder = tempfile::tempdir().expect("a folder");
    World::with(folder, move |config| config.tls = Some(identity))
}

/// A client whose environment names a bundle.
fn client(world: &World, bundle: Option<&str>) -> Hydrant {
    client_at(world, bundle, &world.server().url())
}

fn client_at(world: &World, bundle: Option<&str>, url: &str) -> Hydrant {
    client_with(world, bundle, url, |builder| builder)
}

fn client_with(
    world: &World,
    bundle: Option<&str>,
    url: &str,
    change: impl FnOnce(HydrantBuilder) -> HydrantBuilder,
) -> Hydrant {
    let path = world.file("bundle.pem");
    let mut env = world.env().map(|(name, value)| (name, Some(value))).to_vec();
    env.push(("AWS_ENDPOINT_URL_S3", Some(url.to_owned())));
    env.push(("AWS_CA_BUNDLE", bundle.map(|_| path.display().to_string())));
    if let Some(pem) = bundle {
        std::fs::write(&path, pem).expect("written");
    }
    world.client_with(move |builder| {
        change(builder.env(move |name| {
            env.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.clone())
        }))
    })
}

#[test]
fn what_is_put_comes_back() {
    let authority = Authority::new();
    let world = world(authority.identity(&[LOOPBACK]));
    assert!(world.server().url().starts_with("https://"));
    let hydrant = client(&world, Some(authority.pem()));
    for size in [0, 1, 16_384, 100_000, PART, PART + 1, 3 * PART + 777] {
        let data = Bytes::from(noise(size as u64, size));
        let at = hydrant.locate(&world.uri("s3", &format!("put-{size}"))).expect("a URI");
        let before = hydrant.engine().metrics();
        at.store.put(&at.key, data.clone()).wait().expect("put");
        assert!(std::fs::read(world.object(&at.key)).expect("there") == data, "{size}");
        assert!(read_all(&at).expect("read") == data, "{size}");
        let mut into = vec![0; size];
        assert_eq!(at.store.get_into(&at.key, 0, &mut into).expect("filled"), size);
        assert!(into == data, "{size}");
        let file = hydrant.locate(&world.uri("file", &format!("got-{size}"))).expect("a path");
        copy(&at, &file, CopyOptions::default()).wait().expect("copied");
        let back = hydrant.locate(&world.uri("s3", &format!("back-{size}"))).expect("a URI");
        copy(&file, &back, CopyOptions::default()).wait().expect("copied");
        assert!(read_all(&back).expect("read") == data, "{size}");
        let counted = hydrant.engine().metrics().since(&before);
        assert!(counted.copied_tls >= size as u64, "TLS copies are counted: {counted:?}");
    }
    assert_eq!(world.uploads(), 0);
}

#[test]
fn a_checksum_behind_the_body_goes_over_tls() {
    let authority = Authority::new();
    let world = world(authority.identity(&[LOOPBACK]));
    for place in [ChecksumPlace::Trailer, ChecksumPlace::SignedTrailer] {
        let url = world.server().url();
        let hydrant = client_with(&world, Some(authority.pem()), &url, |builder| {
            builder.s3(|s3| s3.checksums.place = place)
        });
        let client = hydrant.s3(BUCKET).expect("a bucket");
        for size in [1, 100_000, (8 << 20) + 1] {
            let data = noise(size as u64, size);
            client.send(PutObject::new("framed", data.clone())).wait().expect("put");
            let kept = std::fs::read(world.object("framed")).expect("there");
            assert!(kept == data, "{place:?} {size}");
        }
    }
}

#[test]
fn certificates_are_checked() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let cases = [
        (theirs.identity(&[LOOPBACK]), "AWS_CA_BUNDLE"),
        (ours.expired(&[LOOPBACK]), "expired"),
        (ours.identity(&["other.test"]), "for other.test"),
    ];
    for (identity, says) in cases {
        let world = world(identity);
        let error = head(&world, &client(&world, Some(ours.pem())));
        let text = error.to_string();
        assert!(text.contains(says) && text.contains(LOOPBACK), "{text}");
        assert_eq!(error.class(), Class::Config, "{text}");
        assert!(text.contains("tried 1 times"), "no other try would change it: {text}");
        assert_eq!(world.server().stats().requests(), 0, "nothing was asked: {text}");
    }
}

/// A client of a front, with these settings beside the bundle.
fn behind(
    world: &World,
    front: &Front,
    settings: impl FnOnce(TlsConfigBuilder) -> TlsConfigBuilder,
    bundle: &str,
) -> Hydrant {
    let tls = settings(TlsConfig::builder().roots_pem(bundle));
    client_with(world, None, &front.url(), |builder| builder.s3(|s3| s3.tls_settings = Some(tls)))
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_the_one_that_was_given() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let world = World::new();
    for old in [false, true] {
        let rules = FrontRules { clients_of: Some(&ours), old };
        let front = Front::start(world.server().addr(), &ours, &rules);
        let (chain, key) = ours.certificate(&["a-client.test"]);
        let showing =
            behind(&world, &front, |tls| tls.client_certificate_pem(chain, key), ours.pem());
        let at = showing.locate(&world.uri("s3", "shown")).expect("a URI");
        let data = Bytes::from(noise(1, PART + 1));
        at.store.put(&at.key, data.clone()).wait().expect("put");
        assert!(read_all(&at).expect("read") == data);

        let before = world.server().stats().requests();
        let (chain, key) = theirs.certificate(&["a-client.test"]);
        let strange =
            behind(&world, &front, |tls| tls.client_certificate_pem(chain, key), ours.pem());
        let without = behind(&world, &front, |tls| tls, ours.pem());
        for (hydrant, says) in [(strange, "client certificate"), (without, "client certificate")] {
            let error = head(&world, &hydrant);
            let text = error.to_string();
            assert!(text.contains(says) && text.contains(LOOPBACK), "old: {old}: {text}");
            assert_eq!(error.class(), Class::Config, "{text}");
            assert!(text.contains("tried 1 times"), "no other try would change it: {text}");
        }
        assert_eq!(world.server().stats().requests(), before, "nothing was asked");
    }
}

#[test]
fn a_server_that_is_too_old_is_told_of_and_not_asked() {
    let authority = Authority::new();
    let world = World::new();
    let rules = FrontRules { clients_of: None, old: true };
    let front = Front::start(world.server().addr(), &authority, &rules);
    let newest = |tls: TlsConfigBuilder| tls.min_version(TlsVersion::V1_3);
    let error = head(&world, &behind(&world, &front, newest, authority.pem()));
    let text = error.to_string();
    assert!(text.contains("no version of TLS that is allowed here"), "{text}");
    assert_eq!(error.class(), Class::Config, "{text}");
    assert_eq!(world.server().stats().requests(), 0, "{text}");
    // Nothing else stands between them.
    let error = head(&world, &behind(&world, &front, |tls| tls, authority.pem()));
    assert!(error.to_string().contains("404"), "{error}");
}

#[test]
fn the_system_does_not_trust_a_test() {
    let authority = Authority::new();
    let world = world(authority.identity(&[LOOPBACK]));
    let hydrant = client(&world, None);
    match hydrant.locate(&world.uri("s3", "any")) {
        Ok(at) => {
            let text = at.store.head(&at.key).wait().expect_err("not trusted").to_string();
            assert!(text.contains("not trusted"), "{text}");
        }
        // A machine without any certificates.
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error}"),
    }
}

#[test]
fn a_bundle_that_is_none_is_told_before_anything_is_asked() {
    let authority = Authority::new();
    let world = world(authority.identity(&[LOOPBACK]));
    for bundle in ["", "no certificate"] {
        let hydrant = client(&world, Some(bundle));
        let error = hydrant.locate(&world.uri("s3", "any")).expect_err("refused");
        assert_eq!(error.class(), Class::Config);
        assert!(error.to_string().contains("AWS_CA_BUNDLE="), "{error}");
    }
    assert_eq!(world.server().stats().connections_accepted, 0);
}

#[test]
fn tls_and_the_clear_do_not_mix() {
    let authority = Authority::new();
    let plain = World::new();
    let url = plain.server().url().replace("http://", "https://");
    let error = head(&plain, &client_at(&plain, Some(authority.pem()), &url));
    assert!(error.to_string().contains("http:// endpoint"), "{error}");
    let world = world(authority.identity(&[LOOPBACK]));
    let url = world.server().url().replace("https://", "http://");
    let error = head(&world, &client_at(&world, Some(authority.pem()), &url));
    assert_eq!(world.server().stats().requests(), 0, "{error}");
}

#[test]
fn a_virtual_host_is_asked_for_by_its_whole_name() {
    let authority = Authority::new();
    let world = world(authority.identity(&["*.localhost"]));
    let url = format!("https://localhost:{}", world.server().addr().port());
    let data = Bytes::from_static(b"a few bytes");
    for (style, fits) in [(AddressStyle::VirtualHost, true), (AddressStyle::Path, false)] {
        // Not every machine finds names beneath localhost (RFC 6761, section 6.3).
        if fits && ("bucket.localhost", 443).to_socket_addrs().is_err() {
            continue;
        }
        std::fs::write(world.file("bundle.pem"), authority.pem()).expect("written");
        let env = world.env();
        let (url, bundle) = (url.clone(), world.file("bundle.pem").display().to_string());
        let hydrant = world.client_with(|builder| {
            builder.s3(|s3| s3.endpoint.style = Some(style)).env(move |name| match name {
                "AWS_ENDPOINT_URL" => Some(url.clone()),
                "AWS_CA_BUNDLE" => Some(bundle.clone()),
                other => env.iter().find(|it| it.0 == other).map(|it| it.1.clone()),
            })
        });
        let at = hydrant.locate(&world.uri("s3", "named")).expect("a URI");
        let put = at.store.put(&at.key, data.clone()).wait();
        assert_eq!(put.is_ok(), fits, "{put:?}");
    }
}

/// Somebody in between closes the connection in the middle of the bodies: the parts are carried on
/// where they broke, and the bytes are right.
#[test]
fn a_connection_that_is_cut_is_carried_on() {
    let authority = Authority::new();
    let world = world(authority.identity(&[LOOPBACK]));
    let data = Bytes::from(noise(9, 2 * PART));
    let whole = client(&world, Some(authority.pem()));
    let at = whole.locate(&world.uri("s3", "cut")).expect("a URI");
    at.store.put(&at.key, data.clone()).wait().expect("put");
    let between = Between::start(world.server().addr(), &[1_000_000, 3_000_000, 70_000]);
    let url = format!("https://{}", between.addr);
    let hydrant = client_at(&world, Some(authority.pem()), &url);
    let at = hydrant.locate(&world.uri("s3", "cut")).expect("a URI");
    assert!(read_all(&at).expect("carried on") == data);
    assert!(between.connections.load(SeqCst) >= 3, "nothing was cut: the test shows nothing");
}

#[test]
fn a_handshake_that_breaks_off_is_tried_again() {
    let authority = Authority::new();
    let world = world(authority.identity(&[LOOPBACK]));
    let between = Between::start(world.server().addr(), &[0, 100]);
    let url = format!("https://{}", between.addr);
    let hydrant = client_at(&world, Some(authority.pem()), &url);
    let at = hydrant.locate(&world.uri("s3", "some")).expect("a URI");
    at.store.put(&at.key, Bytes::from_static(b"bytes")).wait().expect("the third try");
    assert_eq!(between.connections.load(SeqCst), 3);
}

#[track_caller]
fn head(world: &World, hydrant: &Hydrant) -> Error {
    let at = hydrant.locate(&world.uri("s3", "any")).expect("a URI");
    at.store.head(&at.key).wait().expect_err("refused")
}

/// Passes bytes on, and closes each of the first connections after so many bytes of the server.
struct Between {
    addr: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Between {
    fn start(server: SocketAddr, cuts: &[usize]) -> Between {
        let listener = TcpListener::bind((LOOPBACK, 0)).expect("loopback");
        let addr = listener.local_addr().expect("bound");
        let (connections, cuts) = (Arc::new(AtomicUsize::new(0)), cuts.to_vec());
        let counted = Arc::clone(&connections);
        // The threads end with their connections, and the last with the test's process.
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let number = counted.fetch_add(1, SeqCst);
                let most = cuts.get(number).copied().unwrap_or(usize::MAX);
                let far = TcpStream::connect(server).expect("the server");
                let ends =
                    (near.try_clone().expect("a handle"), far.try_clone().expect("a handle"));
                std::thread::spawn(move || pass(near, far, usize::MAX));
                std::thread::spawn(move || pass(ends.1, ends.0, most));
            }
        });
        Between { addr, connections }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut left: usize) {
    let mut piece = vec![0; 64 << 10];
    while left > 0 {
        let most = piece.len().min(left);
        match from.read(&mut piece[..most]) {
            Ok(count @ 1..) if to.write_all(&piece[..count]).is_ok() => left -= count,
            _ => break,
        }
    }
    let _ = (to.shutdown(std::net::Shutdown::Both), from.shutdown(std::net::Shutdown::Both));
}
