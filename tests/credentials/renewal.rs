//! Keys that end while they are in use, and providers of the program's own.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use hydrant::s3::credentials::{Credentials, CredentialsError, Identity, Provider};
use hydrant::s3::time::Timestamp;
use hydrant::s3::{DeleteObject, GetObject, HeadBucket, HeadObject};
use hydrant::{ErrorKind, PutOptions};
use hydrant_tests::{BUCKET, PART, Peer, World, client_with, noise, wait_until};

use super::{client_of, document, keys_of};

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

/// Keys that have a while to go serve while their source takes its time over the next ones.
#[test]
fn nobody_waits_for_an_instance_that_is_slow_to_renew() {
    let world = Arc::new(World::new());
    let (inside, renewals) = (Arc::clone(&world), Arc::new(AtomicUsize::new(0)));
    let (asked, answered) = (Arc::clone(&renewals), Arc::new(AtomicBool::new(false)));
    let in_the_end = Arc::clone(&answered);
    let service = Peer::start(move |seen, wire| {
        let is_first = asked.load(SeqCst) == 0;
        let body = match &*seen.target {
            "/latest/api/token" => "imds-token".to_owned(),
            "/latest/meta-data/iam/security-credentials/" => "the-role".to_owned(),
            // To be renewed at once, and good for a minute.
            _ => document(&inside, "token", 60),
        };
        if seen.target.ends_with("/the-role") {
            asked.fetch_add(1, SeqCst);
        }
        if !is_first {
            std::thread::sleep(Duration::from_secs(5));
            in_the_end.store(true, SeqCst);
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head.as_bytes())?;
        wire.send(body.as_bytes())
    });
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url());
    let patience = ("AWS_METADATA_SERVICE_TIMEOUT", "30".to_owned());
    let hydrant = client_of(&world, &[endpoint, patience]);
    let client = hydrant.s3(BUCKET).expect("a bucket");
    client.send(HeadBucket::default()).wait().expect("with the first keys");
    let before = service.seen().len();
    wait_until("they are to be renewed", || {
        client.send(HeadBucket::default()).wait().expect("with the first keys");
        service.seen().len() > before
    });
    (0..20).for_each(|_| drop(client.send(HeadBucket::default()).wait().expect("still good")));
    assert!(!answered.load(SeqCst), "the requests waited for the service");
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
