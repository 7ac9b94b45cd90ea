//! A connection as a simulated server reads and writes it.

use std::time::Duration;

use hydrant::Bytes;
use hydrant::engine::{Core, RecvMode, Region, RegionOwner, TcpStream};

use super::bucket::Request;
use super::keys::percent_decoded;

/// One connection, seen from the server.
pub(super) struct Wire {
    pub(super) core: Core,
    pub(super) stream: TcpStream,
    /// Out only while a receive has it. Not of the pool, which belongs to the client.
    memory: Option<Region>,
    /// What has come and was not looked at.
    ahead: Vec<u8>,
}

const WIRE_BYTES: usize = 64 << 10;

/// A server that is not reached for so long gives up.
const PATIENCE: Duration = Duration::from_secs(600);

impl Wire {
    pub(super) fn new(core: &Core, stream: TcpStream) -> Wire {
        let (_, memory) = RegionOwner::new(vec![0; WIRE_BYTES]);
        Wire { core: core.clone(), stream, memory: Some(memory), ahead: Vec::new() }
    }

    /// The next head; `None` when the client is gone.
    pub(super) async fn head(&mut self) -> Option<Request> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.ahead.drain(..end + 4).collect();
                return parse(&head);
            }
            self.more().await?;
        }
    }

    pub(super) async fn body(&mut self, request: &mut Request) -> Option<()> {
        let length = request.header("content-length").map_or(Some(0), |text| text.parse().ok())?;
        while self.ahead.len() < length {
            self.more().await?;
        }
        request.body = self.ahead.drain(..length).collect();
        Some(())
    }

    async fn more(&mut self) -> Option<()> {
        let memory = self.memory.take().expect("no receive is under way");
        let len = memory.len();
        let (received, memory) = self.stream.recv(memory, 0..len, RecvMode::Some, PATIENCE).await;
        let memory = memory.into_region().ok()?;
        let received = received.ok().filter(|received| *received > 0)?;
        self.ahead.extend_from_slice(&memory.as_slice()[..received]);
        self.memory = Some(memory);
        Some(())
    }

    pub(super) async fn send(&self, bytes: Bytes) -> Option<()> {
        let len = bytes.len();
        self.stream.send(bytes, 0..len, false, PATIENCE).await.0.ok().map(drop)
    }
}

/// A head as our client sends it; `None` for what is no request.
fn parse(head: &[u8]) -> Option<Request> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (_bucket, key) = path.strip_prefix('/')?.split_once('/').unwrap_or_default();
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), percent_decoded(value))
    };
    let headers = lines.filter_map(|line| line.split_once(':'));
    Some(Request {
        method,
        key: percent_decoded(key),
        query: query.split('&').filter(|text| !text.is_empty()).map(pair).collect(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    })
}
