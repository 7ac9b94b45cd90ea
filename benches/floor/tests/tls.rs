//! GETs over TLS from a server in this process, by every way there is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use hydrant::Crc64;
use hydrant_floor::Engine;
use hydrant_floor::tls::{Interface, Tls};
use hydrant_floor::transfer::{Direction, Transfer};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, PKCS_ED25519};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const BYTES: u64 = 3_000_000;

fn identity() -> CertifiedKey<KeyPair> {
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let signing_key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let cert = params.self_signed(&signing_key).expect("signed");
    CertifiedKey { cert, signing_key }
}

/// No two pieces of the object are alike.
fn byte_at(offset: usize) -> u8 {
    (offset.wrapping_mul(0x9E37_79B1) >> 16) as u8
}

/// Serves ranges of it until the test ends, a thread a connection.
fn serve(identity: &CertifiedKey<KeyPair>) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key)
        .expect("a certificate and its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            std::thread::spawn(move || answer_all(StreamOwned::new(session, tcp)));
        }
    });
    address
}

/// The client ends the connection by going.
fn answer_all(mut stream: StreamOwned<ServerConnection, TcpStream>) {
    let mut request = Vec::new();
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
        if request.ends_with(b"\r\n\r\n") {
            let text = String::from_utf8(std::mem::take(&mut request)).expect("a head is text");
            let (_, range) = text.split_once("bytes=").expect("a range");
            let (start, end) = range.trim_end().split_once('-').expect("both ends");
            let place = |text: &str| text.parse::<usize>().expect("a number");
            let body = (place(start)..=place(end)).map(byte_at).collect::<Vec<u8>>();
            let head = format!("HTTP/1.1 206 Partial\r\nContent-Length: {}\r\n\r\n", body.len());
            let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            sent.and_then(|()| stream.flush()).expect("the client waits for all of it");
        }
    }
}

#[test]
fn every_byte_arrives_by_either_interface_and_engine() {
    let identity = identity();
    let address = serve(&identity);
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, identity.cert.pem()).expect("room");
    for interface in [Interface::Buffered, Interface::Unbuffered] {
        for (engine, threads) in [(Engine::Threads, 1), (Engine::Threads, 3), (Engine::Uring, 1)] {
            for (wait_all, buffer_bytes) in [(false, 40_000), (true, 256 << 10)] {
                let tls = Tls { interface, authority: authority.clone() };
                let work = Transfer {
                    direction: Direction::Get,
                    engine,
                    address,
                    path: "/object".to_owned(),
                    bytes: BYTES,
                    range_bytes: 700_000,
                    buffer_bytes,
                    connections: 3,
                    threads,
                    wait_all,
                    tls: Some(tls),
                    sum: Some(Crc64::of(&(0..BYTES as usize).map(byte_at).collect::<Vec<u8>>())),
                };
                let report = work.run().expect("a run on loopback");
                assert_eq!(report.bytes, BYTES, "{interface:?} {engine} {wait_all}");
            }
        }
    }
}

#[test]
fn a_server_that_is_not_trusted_is_refused() {
    let address = serve(&identity());
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, identity().cert.pem()).expect("room");
    let tls = Tls { interface: Interface::Unbuffered, authority };
    let work = Transfer {
        direction: Direction::Get,
        engine: Engine::Threads,
        address,
        path: "/object".to_owned(),
        bytes: BYTES,
        range_bytes: BYTES,
        buffer_bytes: 64 << 10,
        connections: 1,
        threads: 1,
        wait_all: false,
        tls: Some(tls),
        sum: None,
    };
    let failure = work.run().expect_err("its certificate is another");
    assert!(failure.to_string().contains("certificate"), "{failure}");
}
