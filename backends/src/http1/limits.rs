//! The limits of the HTTP client (LIMIT-1).

use std::time::Duration;

use hydrant_engine::ConnectLimits;

use super::body::ChunkLimits;
use super::pool::AddressLimits;
use super::response::HeadLimits;

/// What one connection, and the connections of one core to one origin, may cost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpLimits {
    /// Connections of one core to one origin; one more waits. Default 32.
    pub connections_per_core_max: usize,
    /// Objects of one origin that a core reads from a server that ignores ranges. Each holds a connection
    /// beside those, for as long as it is read; one more is refused and does not wait, for who holds
    /// those may be the one who waits. Default 32.
    pub in_order_per_core_max: usize,
    /// Connecting to the addresses of the origin. Default as the engine has it.
    pub connect: ConnectLimits,
    /// How long the addresses of a name are good.
    pub addresses: AddressLimits,
    /// Time in which no byte moves while the peer is to send or receive (TIME-1), the wait for an
    /// answer included. Default 30 s.
    pub stall: Duration,
    /// Bodies of so many bytes and more are announced by `Expect: 100-continue`, and sent when the
    /// server wants them, while it is in doubt that it does: each core asks an endpoint until it has taken one,
    /// after it has refused one, and where a request may not be sent twice, as conditional writes and appends.
    /// `None` never. Default 1 MiB: below it, asking costs more than a refused body.
    pub expect_continue_bytes_min: Option<u64>,
    /// How long the server is waited for then; the body is sent after it in any case. A server that
    /// has let it pass once is not asked again. Default 1 s, as curl has it.
    pub expect_continue_wait: Duration,
    /// How long the answer of a server is waited for that refuses a body before it has all of it: it
    /// answers and closes. Default 500 ms.
    pub early_answer_wait: Duration,
    /// An idle connection is closed after this, and earlier where its memory is waited for. Default 4 s:
    /// S3 was seen to close idle connections after 5 to 20 s.
    pub idle: Duration,
    /// Requests over one connection. Default none; 100 for AWS, which was seen to close after that
    /// many.
    pub requests_per_connection_max: Option<u32>,
    /// Redirects that are followed for one object of an `http://` or `https://` URL; a request of S3 follows
    /// one, within its store (SEC-3). Default 10.
    pub redirects_max: u32,
    /// Origins that redirects lead to from one origin, whose connections are kept for the next object.
    /// Default 16.
    pub redirect_origins_max: usize,
    /// Size of a request head in bytes. Default 16 KiB.
    pub request_head_bytes_max: usize,
    /// Limits of answer heads.
    pub head: HeadLimits,
    /// Limits of chunked framing.
    pub chunk: ChunkLimits,
    /// Size of an answer that is a document and not payload: listings, errors. Default 8 MiB.
    pub document_bytes_max: usize,
    /// Memory of the last document that each core keeps for the next, for each store. Default 1 MiB: a page of a listing has
    /// some 300 KiB, which would be asked of the system and given back each time.
    pub kept_document_bytes_max: usize,
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits {
            connections_per_core_max: 32,
            in_order_per_core_max: 32,
            connect: ConnectLimits::default(),
            addresses: AddressLimits::default(),
            stall: Duration::from_secs(30),
            expect_continue_bytes_min: Some(1 << 20),
            expect_continue_wait: Duration::from_secs(1),
            early_answer_wait: Duration::from_millis(500),
            idle: Duration::from_secs(4),
            requests_per_connection_max: None,
            redirects_max: 10,
            redirect_origins_max: 16,
            request_head_bytes_max: 16 << 10,
            head: HeadLimits::default(),
            chunk: ChunkLimits::default(),
            document_bytes_max: 8 << 20,
            kept_document_bytes_max: 1 << 20,
        }
    }
}
