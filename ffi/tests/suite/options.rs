//! Options as a C program sets them: of a server with TLS, and of a peer that remembers what it was sent.

use std::io::Read;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use hydrant_server::TlsIdentity;

use crate::common::{self, Bucket, Folder, Library, Linking, run};
use crate::service::Peer;

const PROFILES: &str = "[profile stranger]\naws_access_key_id = AKIDSTRANGER\n\
                        aws_secret_access_key = wJalrXUtnFEMI-nobodys-key\n";

/// For each object that the program puts to the peer, what its head says and does not say.
const SENT: [(&[&str], &[&str]); 7] = [
    (&["x-amz-checksum-crc64nvme: "], &["x-amz-trailer"]),
    (&["x-amz-checksum-crc32c: "], &["crc64nvme"]),
    (&["x-amz-checksum-sha256: "], &["crc64nvme"]),
    (&["content-md5: "], &["x-amz-checksum"]),
    (&[], &["x-amz-checksum", "content-md5"]),
    (&["x-amz-trailer: x-amz-checksum-crc64nvme"], &["STREAMING-AWS4"]),
    (&["x-amz-trailer: x-amz-checksum-crc32\r", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"], &[]),
];

/// The extension that names the versions which a client speaks (RFC 8446 section 4.2.1): 1.3 and 1.2, ...
const BOTH_VERSIONS: &[u8] = &[0, 0x2b, 0, 5, 4, 3, 4, 3, 3];
/// ... and 1.3 alone.
const VERSION_1_3: &[u8] = &[0, 0x2b, 0, 3, 2, 3, 4];

#[test]
fn options_act() {
    let library = Library::get();
    let (folder, bucket, peer) = (Folder::new(), Bucket::new(), Peer::start());
    let names = vec!["127.0.0.1".to_owned()];
    let signed = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let (pem, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    let over_tls = Bucket::over_tls(TlsIdentity::new(pem.clone(), key));
    let (ca_file, profiles) = (folder.write("ca.pem", &pem), folder.write("profiles", PROFILES));
    let source = common::crate_path("tests/c/options.c");
    let program = library.link(&folder, &source, Linking::Static);
    let mut command = library.command(&program, &bucket);
    command.env("AWS_CONFIG_FILE", profiles).env("SSL_CERT_FILE", "/dev/null");
    command.env_remove("SSL_CERT_DIR").args([Bucket::URI, &peer.uri, &over_tls.url()]);
    let (greeted, greetings) = greeted();
    let output = run(command.arg(ca_file).arg(greeted));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "options act\n");
    assert_eq!(std::fs::read(over_tls.path("over-tls")).expect("it came by TLS"), b"hello");

    let greetings = greetings.lock().expect("whole");
    let offers = |index: usize, what: &[u8]| {
        let hello: &Vec<u8> = &greetings[index];
        hello.windows(what.len()).any(|bytes| bytes == what)
    };
    assert_eq!(greetings.len(), 2, "{greetings:?}");
    assert!(offers(0, BOTH_VERSIONS) && !offers(0, VERSION_1_3), "{greetings:?}");
    assert!(offers(1, VERSION_1_3) && !offers(1, BOTH_VERSIONS), "{greetings:?}");

    let seen = peer.seen.lock().expect("whole");
    assert_eq!(seen.len(), SENT.len(), "{seen:#?}");
    for (index, (request, (said, not_said))) in seen.iter().zip(SENT).enumerate() {
        assert!(request.starts_with(&format!("PUT /bucket/{index} ")), "{request}");
        for words in said {
            assert!(request.contains(words), "{words}: {request}");
        }
        for words in not_said {
            assert!(!request.contains(words), "{words}: {request}");
        }
    }
}

/// An endpoint that takes the first record of each connection and never answers.
fn greeted() -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("https://{}", listener.local_addr().expect("an address"));
    let greetings = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&greetings);
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 5];
            // Who hangs up before has not greeted.
            if stream.read_exact(&mut head).is_ok() {
                let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
                stream.read_exact(&mut hello).expect("a whole record");
                noted.lock().expect("whole").push(hello);
                open.push(stream);
            }
        }
    });
    (endpoint, greetings)
}
