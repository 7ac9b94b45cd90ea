//! What the server is told: where the data is, who may ask, and every limit by name (LIMIT-1).

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use s3s::auth::SecretKey;

/// What to serve and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory that holds the buckets. It is made when it is missing.
    pub root: PathBuf,
    /// Where to listen. Port 0 takes a free port; ask [`crate::ServerHandle::addr`] which. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// With credentials every request must be signed with them; without, everybody may do everything and
    /// signatures are not looked at. Default none.
    pub credentials: Option<Credentials>,
    /// With an identity, TLS is spoken and nothing else. Default none.
    pub tls: Option<TlsIdentity>,
    /// `Host: bucket.DOMAIN` names a bucket (virtual-hosted style); every other host is taken as path style.
    /// Default `localhost`.
    pub base_domain: Option<String>,
    /// Threads that drive connections; file work has its own, see [`Limits::blocking_threads_max`]. Default 2.
    pub threads: usize,
    /// Whether an answer to a write waits until the data and its name are on the disk (`fsync`). A crash of the
    /// process never loses an acknowledged object either way; a crash of the machine does without it.
    /// Default true.
    pub durable: bool,
    /// Stop when standard input ends, so that a child whose parent died does not stay. Default false.
    pub stop_on_stdin_eof: bool,
    /// Slows each connection down to so many bytes a second, each way, and each copy from object to object or part,
    /// for tests that need time to interfere.
    /// Default none.
    pub throttle_bytes_per_second: Option<u64>,
    /// The limits.
    pub limits: Limits,
}

impl Config {
    /// A server of `root` with every other field at its default.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            credentials: None,
            tls: None,
            base_domain: Some("localhost".to_owned()),
            threads: 2,
            durable: true,
            stop_on_stdin_eof: false,
            throttle_bytes_per_second: None,
            limits: Limits::default(),
        }
    }
}

/// An access key and its secret. `Debug` does not show the secret, and it is wiped when dropped (SEC-1).
#[derive(Clone)]
pub struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretKey,
}

impl Credentials {
    /// Takes over both strings.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { access_key: access_key.into(), secret_key: SecretKey::from(secret_key.into()) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// The certificate that the server shows, with its key, both as PEM. `Debug` shows neither (SEC-1).
#[derive(Clone)]
pub struct TlsIdentity {
    pub(crate) chain_pem: Vec<u8>,
    pub(crate) key_pem: Vec<u8>,
}

impl TlsIdentity {
    /// Takes over the chain, the server's own certificate first, and its key.
    pub fn new(chain_pem: impl Into<Vec<u8>>, key_pem: impl Into<Vec<u8>>) -> Self {
        Self { chain_pem: chain_pem.into(), key_pem: key_pem.into() }
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsIdentity(…)")
    }
}

/// Every limit of the server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections served at once; more wait in the kernel's accept queue. Default 1024.
    pub connections_max: usize,
    /// Length of that queue. Default 1024.
    pub accept_backlog: u32,
    /// Threads for file work, started as needed. Default 64.
    pub blocking_threads_max: usize,
    /// Header lines of a request. Default 100.
    pub headers_max: usize,
    /// Receive buffer of a connection in bytes; a request head must fit into it. Default 512 KiB.
    pub connection_buffer_bytes: usize,
    /// How long a TLS handshake may take. Default 10 s.
    pub tls_handshake_timeout: Duration,
    /// How long a request head may take, and how long a connection may be idle. Default 60 s.
    pub head_read_timeout: Duration,
    /// Bytes of a body handed to one file operation. A transfer holds at most three such chunks. Default 512 KiB.
    pub body_chunk_bytes: usize,
    /// Chunks kept for reuse when no transfer needs them. Default 16.
    pub idle_chunks_max: usize,
    /// Largest body of one `PutObject` or `UploadPart`. Default 5 GiB, as S3 has it.
    pub put_bytes_max: u64,
    /// A refusal waits for the rest of a body up to this size, so that the client sees it; a longer body is cut off.
    /// Default 1 MiB.
    pub refused_body_bytes_max: u64,
    /// Smallest part that is not the last. Default 5 MiB, as S3 has it.
    pub part_bytes_min: u64,
    /// Highest part number. Default 10 000, as S3 has it.
    pub parts_max: u32,
    /// Entries in one page of a listing, and objects in one `DeleteObjects`. Default 1000, as S3 has it.
    pub list_keys_max: usize,
    /// A listing computes a missing ETag of files up to this size; larger files are listed without one until
    /// they were read or asked for once. Default 8 MiB.
    pub list_etag_bytes_max: u64,
    /// Names and values of user metadata together. Default 2 KiB, as S3 has it.
    pub metadata_bytes_max: usize,
    /// `CompleteMultipartUpload` of more bytes answers with status 200 at once and keeps the connection alive with
    /// white space while the parts are joined; the outcome is in the body, as S3 does it. Default 256 MiB.
    pub complete_silent_bytes_max: u64,
    /// Body of a request that is XML. Default 4 MiB.
    pub xml_body_bytes_max: usize,
    /// How long running requests may go on after a stop. Default 5 s.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            accept_backlog: 1024,
            blocking_threads_max: 64,
            headers_max: 100,
            connection_buffer_bytes: 512 << 10,
            tls_handshake_timeout: Duration::from_secs(10),
            head_read_timeout: Duration::from_secs(60),
            body_chunk_bytes: 512 << 10,
            idle_chunks_max: 16,
            put_bytes_max: 5 << 30,
            refused_body_bytes_max: 1 << 20,
            part_bytes_min: 5 << 20,
            parts_max: 10_000,
            list_keys_max: 1000,
            list_etag_bytes_max: 8 << 20,
            metadata_bytes_max: 2 << 10,
            complete_silent_bytes_max: 256 << 20,
            xml_body_bytes_max: 4 << 20,
            stop_timeout: Duration::from_secs(5),
        }
    }
}
