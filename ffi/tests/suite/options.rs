//! Options as a C program sets them: of a server with TLS, and of a peer that remembers what it was sent.

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
    command.env("AWS_CONFIG_FILE", profiles).args([Bucket::URI, &peer.uri, &over_tls.url()]);
    let output = run(command.arg(ca_file));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "options act\n");
    assert_eq!(std::fs::read(over_tls.path("over-tls")).expect("it came by TLS"), b"hello");

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
