//! A simulated server: connections on a core of the simulation, and the trouble that it makes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hydrant::Bytes;
use hydrant::engine::{Core, RecvMode, Region, RegionOwner, Simulation, TcpListener, TcpStream};
use hydrant::s3::time::{HttpDate, Timestamp};

use super::bucket::{Answer, Bucket, Request};
use super::trouble::Trouble;

/// A server with one bucket. Clones are the same.
#[derive(Clone)]
pub(super) struct Server {
    address: SocketAddr,
    /// Only trouble that can be mended, and never so much of it that a client gives up.
    is_fair: bool,
    makes_trouble: bool,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    bucket: Bucket,
    met: [u64; Trouble::ALL.len()],
    /// Troubles one after the other, by request, with the token that each was signed with.
    in_a_row: BTreeMap<String, Vec<(Trouble, String)>>,
}

/// A request in so many meets trouble.
const ONE_IN: u64 = 8;

/// A client tries more often than that.
const TROUBLES_IN_A_ROW_MAX: usize = 2;

/// More than S3 allows.
const CLOCK_OFF: Duration = Duration::from_secs(3600);

/// Longer than any client of these tests waits.
const DAWDLING: Duration = Duration::from_secs(90);

impl Server {
    /// Starts one on a core of the simulation; it ends with that.
    pub(super) fn start(simulation: &Simulation, index: u8, is_fair: bool) -> Server {
        Server::start_with(simulation, index, is_fair, true)
    }

    /// The same without any trouble.
    pub(super) fn start_fine(simulation: &Simulation, index: u8) -> Server {
        Server::start_with(simulation, index, true, false)
    }

    fn start_with(
        simulation: &Simulation,
        index: u8,
        is_fair: bool,
        makes_trouble: bool,
    ) -> Server {
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, index), 9000));
        let listener = TcpListener::simulated(simulation.world(), address).expect("a free address");
        let server = Server { address, is_fair, makes_trouble, shared: Arc::default() };
        let serving = server.clone();
        let engine = simulation.engine();
        let core = usize::from(index) % engine.cores();
        let task = engine.on_core(core, move |core| async move {
            loop {
                match listener.accept(&core).await {
                    Ok(stream) => serving.clone().receive(&core, stream),
                    Err(_) => core.sleep(Duration::from_millis(10)).await,
                }
            }
        });
        task.expect("room").detach();
        server
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn put(&self, key: &str, bytes: Bytes) {
        self.lock().bucket.put(key, bytes);
    }

    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.lock().bucket.get(key)
    }

    /// Uploads that a client knows of and has left.
    pub(super) fn leftovers(&self) -> Vec<String> {
        self.lock().bucket.known_uploads().into_iter().map(String::from).collect()
    }

    /// How often each kind of trouble was made, in the order of [`Trouble::ALL`].
    pub(super) fn met(&self) -> [u64; Trouble::ALL.len()] {
        self.lock().met
    }

    fn receive(self, core: &Core, stream: TcpStream) {
        let (_, memory) = RegionOwner::new(vec![0; WIRE_BYTES]);
        let wire = Wire { core: core.clone(), stream, memory: Some(memory), ahead: Vec::new() };
        // Where there is no room for its task the client sees a connection that ends.
        if let Ok(task) = core.spawn(self.serve(wire)) {
            task.detach();
        }
    }

    /// One connection, until the client leaves or the server breaks it.
    async fn serve(self, mut wire: Wire) {
        while self.exchange(&mut wire).await.is_some() {}
    }

    async fn exchange(&self, wire: &mut Wire) -> Option<()> {
        let mut request = wire.head().await?;
        let trouble = self.draw(&wire.core, &request);
        if trouble == Some(Trouble::RefusesEarly) {
            wire.send(Answer::error(503, "SlowDown").encode(false)).await?;
            return None;
        }
        if request.header("expect").is_some() {
            wire.send(Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n")).await?;
        }
        wire.body(&mut request).await?;
        let is_head = request.method == "HEAD";
        let refusal = match trouble {
            Some(Trouble::Throttles) => Some(Answer::error(503, "SlowDown")),
            Some(Trouble::Fails) => Some(Answer::error(500, "InternalError")),
            Some(Trouble::FailsInside) => Some(Answer::error(200, "InternalError")),
            Some(Trouble::AsksToWait) => Some(Answer {
                headers: vec![("Retry-After", (wire.core.random_u64() % 3).to_string())],
                ..Answer::error(429, "TooManyRequests")
            }),
            Some(Trouble::NamesRegion) => {
                let headers = vec![("x-amz-bucket-region", request.other_region().to_owned())];
                let (status, code) = match wire.core.random_u64() % 2 {
                    0 => (301, "PermanentRedirect"),
                    _ => (307, "TemporaryRedirect"),
                };
                Some(Answer { headers, ..Answer::error(status, code) })
            }
            Some(Trouble::DoubtsClock) => {
                let date = HttpDate(Timestamp::from(self.clock(&wire.core))).to_string();
                let headers = vec![("Date", date)];
                Some(Answer { headers, ..Answer::error(403, "RequestTimeTooSkewed") })
            }
            Some(Trouble::EndsToken) => Some(Answer::error(400, "ExpiredToken")),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return wire.send(refusal.encode(is_head)).await;
        }
        if trouble == Some(Trouble::Misreads) {
            shift(&mut request);
        }
        let answer = self.lock().bucket.answer(&request).encode(is_head);
        match trouble {
            Some(Trouble::LosesAnswer) => {
                wire.stream.reset();
                None
            }
            Some(Trouble::CutsAnswer) => {
                let at = (wire.core.random_u64() % answer.len() as u64) as usize;
                wire.send(answer.slice(..at)).await?;
                None
            }
            Some(Trouble::Leaves) => {
                wire.send(answer).await?;
                None
            }
            Some(Trouble::SaysMore) => {
                // No answer: one that comes while the next request is on its way would be its.
                wire.send([answer, Bytes::from_static(b"and more")].concat().into()).await
            }
            Some(Trouble::Babbles) => {
                wire.send(Bytes::from_static(b"220 mail.example ESMTP\r\n\r\n")).await?;
                None
            }
            Some(Trouble::Dawdles) => {
                wire.core.sleep(DAWDLING).await;
                None
            }
            _ => wire.send(answer).await,
        }
    }

    fn draw(&self, core: &Core, request: &Request) -> Option<Trouble> {
        if !self.makes_trouble {
            return None;
        }
        let mut shared = self.lock();
        let range = request.header("range").unwrap_or_default();
        let name = format!("{} {} {:?} {range}", request.method, request.key, request.query);
        let token = request.header("x-amz-security-token").expect("a token").to_owned();
        let clock = self.clock(core);
        let in_a_row = shared.in_a_row.entry(name).or_default();
        // In a fair world the client has heard of it.
        if let Some((Trouble::EndsToken, ended)) = in_a_row.last() {
            assert!(!self.is_fair || *ended != token, "a token that has ended is shown again");
        }
        let can_come = |index: &usize| {
            let trouble = Trouble::ALL[*index];
            let is_again = in_a_row.iter().any(|(before, _)| *before == trouble);
            let is_bearable = trouble.can_be_mended()
                && in_a_row.len() < TROUBLES_IN_A_ROW_MAX
                && !(is_again && trouble.is_mended_once());
            trouble.concerns(request, clock) && (is_bearable || !self.is_fair)
        };
        let weighed = |index: usize| std::iter::repeat_n(index, Trouble::ALL[index].weight());
        let possible: Vec<usize> =
            (0..Trouble::ALL.len()).filter(can_come).flat_map(weighed).collect();
        // Uploads begin and end seldom, and there is more that can go wrong.
        let one_in = if request.method == "POST" { ONE_IN / 4 } else { ONE_IN };
        let meets = !possible.is_empty() && core.random_u64().is_multiple_of(one_in);
        let drawn = meets.then(|| possible[(core.random_u64() % possible.len() as u64) as usize]);
        match drawn {
            None => in_a_row.clear(),
            Some(index) => {
                in_a_row.push((Trouble::ALL[index], token));
                shared.met[index] += 1;
            }
        }
        drawn.map(|index| Trouble::ALL[index])
    }

    /// Its own clock, which is off.
    fn clock(&self, core: &Core) -> SystemTime {
        core.wall_clock() + CLOCK_OFF
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves the range that is asked for by one byte.
fn shift(request: &mut Request) {
    let Some((_, range)) = request.headers.iter_mut().find(|(name, _)| name == "range") else {
        return;
    };
    let first = range.strip_prefix("bytes=").and_then(|text| text.split_once('-'));
    if let Some((Ok(first), last)) = first.map(|(first, last)| (first.parse::<u64>(), last)) {
        *range = format!("bytes={}-{last}", first + 1);
    }
}

/// One connection, seen from the server.
struct Wire {
    core: Core,
    stream: TcpStream,
    /// Out only while a receive has it. Not of the pool, which belongs to the client.
    memory: Option<Region>,
    /// What has come and was not looked at.
    ahead: Vec<u8>,
}

const WIRE_BYTES: usize = 64 << 10;

/// A server that is not reached for so long gives up.
const PATIENCE: Duration = Duration::from_secs(600);

impl Wire {
    /// The next head; `None` when the client is gone.
    async fn head(&mut self) -> Option<Request> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.ahead.drain(..end + 4).collect();
                return parse(&head);
            }
            self.more().await?;
        }
    }

    async fn body(&mut self, request: &mut Request) -> Option<()> {
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

    async fn send(&self, bytes: Bytes) -> Option<()> {
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
        (name.to_owned(), value.to_owned())
    };
    let headers = lines.filter_map(|line| line.split_once(':'));
    Some(Request {
        method,
        key: key.to_owned(),
        query: query.split('&').filter(|text| !text.is_empty()).map(pair).collect(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    })
}
