//! Two sessions that speak to each other over a wire that cuts everything into pieces.

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::*;
use crate::net::tls::config::provider;

/// One end with what has arrived and what it has read.
struct End {
    session: Session,
    arrived: Vec<u8>,
    read: Vec<u8>,
    /// On the way to this end.
    wire: VecDeque<u8>,
}

impl End {
    fn new(session: Session) -> End {
        End { session, arrived: Vec::new(), read: Vec::new(), wire: VecDeque::new() }
    }

    /// So many bytes arrive and are worked on; tells what is to be sent for them.
    fn arrive(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        let count = count.min(self.wire.len());
        self.arrived.extend(self.wire.drain(..count));
        let mut from = 0;
        loop {
            let read = &mut self.read;
            let mut records_of_data = 0;
            let step = self.session.step(&mut self.arrived[from..], &mut |plain| {
                records_of_data += 1;
                read.extend_from_slice(plain);
            })?;
            assert!(records_of_data <= 1, "a step is at most one record");
            from += step.consumed;
            if step.state != State::Progress {
                self.arrived.drain(..from);
                return Ok(self.session.take_control());
            }
        }
    }

    fn encrypt(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut out = vec![0; plain.len() + plain.len() / 64 + 2048];
        let written = self.session.encrypt(plain, &mut out).expect("traffic may flow");
        out.truncate(written);
        out
    }
}

/// A wire whose pieces have the given sizes, in turn.
struct Pieces<'a> {
    sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
}

impl Pieces<'_> {
    fn of(sizes: &[usize]) -> Pieces<'_> {
        Pieces { sizes: sizes.iter().cycle() }
    }

    /// Delivers all that is under way, and what is answered, to both ends.
    fn deliver(&mut self, near: &mut End, far: &mut End) -> Result<(), Error> {
        far.wire.extend(near.arrive(0)?);
        while !near.wire.is_empty() || !far.wire.is_empty() {
            let count = *self.sizes.next().expect("a cycle");
            near.wire.extend(far.arrive(count)?);
            far.wire.extend(near.arrive(count)?);
        }
        Ok(())
    }
}

struct Configs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

fn configs(version: &'static SupportedProtocolVersion) -> Configs {
    let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let params = CertificateParams::new(vec!["host.test".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("signed");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("a root");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("an identity");
    Configs { client: Arc::new(client), server: Arc::new(server) }
}

fn pair(configs: &Configs) -> (End, End) {
    let name = ServerName::try_from("host.test").expect("a name");
    let client = UnbufferedClientConnection::new(Arc::clone(&configs.client), name);
    let server = UnbufferedServerConnection::new(Arc::clone(&configs.server));
    let client = Session::client(client.expect("a client"));
    (End::new(client), End::new(Session::server(server.expect("a server"))))
}

fn open(near: &mut End, far: &mut End, pieces: &mut Pieces<'_>) {
    pieces.deliver(near, far).expect("a handshake");
    assert!(!near.session.is_handshaking() && !far.session.is_handshaking());
}

fn refresh(end: &mut End) {
    let Side::Client(client) = &mut end.session.side else { panic!("the client asks") };
    match client.process_tls_records(&mut []).state.expect("in order") {
        ConnectionState::WriteTraffic(traffic) => traffic.refresh_traffic_keys().expect("1.3"),
        other => panic!("{other:?}"),
    }
}

fn bytes(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|i| (i.wrapping_mul(31) ^ (i >> 8) ^ seed) as u8).collect()
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

#[test]
fn a_wire_of_single_bytes() {
    for version in VERSIONS {
        let configs = configs(version);
        let (mut near, mut far) = pair(&configs);
        let mut pieces = Pieces::of(&[1]);
        open(&mut near, &mut far, &mut pieces);
        far.wire.extend(near.encrypt(b"a question"));
        near.wire.extend(far.encrypt(b"an answer"));
        pieces.deliver(&mut near, &mut far).expect("delivered");
        assert_eq!((&near.read[..], &far.read[..]), (&b"an answer"[..], &b"a question"[..]));
    }
}

#[test]
fn the_keys_change_in_the_middle() {
    let configs = configs(&rustls::version::TLS13);
    let (mut near, mut far) = pair(&configs);
    let mut pieces = Pieces::of(&[7, 1000]);
    open(&mut near, &mut far, &mut pieces);
    for round in 0..3 {
        refresh(&mut near);
        far.wire.extend(near.encrypt(b"new keys"));
        pieces.deliver(&mut near, &mut far).expect("delivered");
        // The other side's answer to it goes out with what it sends next.
        near.wire.extend(far.encrypt(b"mine too"));
        pieces.deliver(&mut near, &mut far).expect("delivered");
        assert_eq!(far.read, b"new keys".repeat(round + 1));
        assert_eq!(near.read, b"mine too".repeat(round + 1));
    }
}

#[test]
fn a_changed_byte_is_an_error_and_the_peer_is_told() {
    for version in VERSIONS {
        let configs = configs(version);
        let (mut near, mut far) = pair(&configs);
        open(&mut near, &mut far, &mut Pieces::of(&[10_000]));
        let mut sealed = far.encrypt(&bytes(1000, 1));
        let middle = sealed.len() / 2;
        sealed[middle] ^= 1;
        near.wire.extend(sealed);
        let error = near.arrive(usize::MAX).expect_err("changed on its way");
        assert_eq!(error, Error::DecryptError);
        assert!(near.read.is_empty());
        far.wire.extend(near.session.take_control());
        let told = far.arrive(usize::MAX).expect_err("an alert");
        assert!(matches!(told, Error::AlertReceived(_)), "{told:?}");
    }
}

#[test]
fn nothing_comes_after_the_end() {
    for version in VERSIONS {
        let configs = configs(version);
        let (mut near, mut far) = pair(&configs);
        open(&mut near, &mut far, &mut Pieces::of(&[10_000]));
        let mut out = [0; 256];
        let count = far.session.close(&mut out).expect("room");
        near.wire.extend(&out[..count]);
        assert!(!near.session.is_peer_closed());
        near.arrive(usize::MAX).expect("the end");
        assert!(near.session.is_peer_closed());
        near.wire.extend(b"what is no record");
        assert_eq!(near.arrive(usize::MAX).expect("ignored"), b"");
        assert!(near.read.is_empty());
    }
}

/// A handshake message in two records is read and still referred to while something is sent.
#[test]
fn something_is_sent_in_the_middle_of_a_message() {
    let mut configs = configs(&rustls::version::TLS13);
    let mut server = (*configs.server).clone();
    // Tickets come in records of 27 bytes, so that each is a message in several records.
    server.max_fragment_size = Some(32);
    configs.server = Arc::new(server);
    let (mut near, mut far) = pair(&configs);
    let mut met = false;
    let mut sent = Vec::new();
    far.wire.extend(near.arrive(0).expect("hello"));
    for _ in 0..20_000 {
        near.wire.extend(far.arrive(1).expect("in order"));
        far.wire.extend(near.arrive(1).expect("in order"));
        met |= !near.session.fragment.is_empty();
        if !near.session.is_handshaking() {
            let plain = bytes(3, sent.len());
            far.wire.extend(near.encrypt(&plain));
            sent.extend(plain);
        }
        if near.wire.is_empty() && !far.session.is_handshaking() {
            break;
        }
    }
    assert!(met, "no message came in pieces: the test shows nothing");
    let mut pieces = Pieces::of(&[100]);
    pieces.deliver(&mut near, &mut far).expect("delivered");
    assert_eq!(far.read, sent);
    near.wire.extend(far.encrypt(&sent));
    pieces.deliver(&mut near, &mut far).expect("delivered");
    assert_eq!(near.read, sent);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_sent_is_read_however_it_is_cut(
        thirteen: bool,
        sizes in prop::collection::vec(prop_oneof![1..8usize, 1..600usize, 1..40_000usize], 1..12),
        messages in prop::collection::vec(
            (any::<bool>(), prop_oneof![Just(0), 1..50usize, 1..50_000usize]),
            0..8,
        ),
    ) {
        let configs = configs(VERSIONS[usize::from(thirteen)]);
        let (mut near, mut far) = pair(&configs);
        let mut pieces = Pieces::of(&sizes);
        open(&mut near, &mut far, &mut pieces);
        let (mut to_near, mut to_far) = (Vec::new(), Vec::new());
        for (seed, (from_near, count)) in messages.into_iter().enumerate() {
            let plain = bytes(count, seed);
            if from_near {
                far.wire.extend(near.encrypt(&plain));
                to_far.extend(plain);
            } else {
                near.wire.extend(far.encrypt(&plain));
                to_near.extend(plain);
            }
            // Some of what is under way stays there while the next is sent.
            if seed % 2 == 0 {
                pieces.deliver(&mut near, &mut far).expect("delivered");
            }
        }
        pieces.deliver(&mut near, &mut far).expect("delivered");
        prop_assert_eq!(near.read, to_near);
        prop_assert_eq!(far.read, to_far);
        prop_assert!(near.arrived.is_empty() && far.arrived.is_empty());
    }
}
