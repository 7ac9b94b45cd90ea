//! A simulated server: what it answers on a core of the simulation, and the trouble that it makes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hydrant::Bytes;
use hydrant::engine::{Core, Simulation, TcpListener, TcpStream};
use hydrant::s3::time::{HttpDate, Timestamp};

use super::bucket::{Answer, Bucket, Request};
use super::trouble::Trouble;
use super::wire::Wire;

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
    /// Requests of which a bit was flipped: they are sent once more, and not again.
    flipped: BTreeSet<String>,
    /// How often a bit is to flip yet in what is read of a key, and how often it did.
    flips: BTreeMap<String, (u32, u32)>,
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
    ///
    /// One that knows no checksums neither tells nor compares any.
    pub(super) fn start(simulation: &Simulation, index: u8, is_fair: bool, sums: bool) -> Server {
        Server::start_with(simulation, index, is_fair, sums, true)
    }

    /// The same without any trouble.
    pub(super) fn start_fine(simulation: &Simulation, index: u8) -> Server {
        Server::start_with(simulation, index, true, true, false)
    }

    fn start_with(
        simulation: &Simulation,
        index: u8,
        is_fair: bool,
        sums: bool,
        makes_trouble: bool,
    ) -> Server {
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, index), 9000));
        let listener = TcpListener::simulated(simulation.world(), address).expect("a free address");
        let shared = Shared { bucket: Bucket::new(sums), ..Shared::default() };
        let shared = Arc::new(Mutex::new(shared));
        let server = Server { address, is_fair, makes_trouble, shared };
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

    /// From now on a bit flips in this many answers with bytes of a key, where the server tells a
    /// checksum by which that can be found; whether it does.
    pub(super) fn flip(&self, key: &str, times: u32) -> bool {
        let mut shared = self.lock();
        let sums = shared.bucket.sums();
        shared.flips.insert(key.to_owned(), (if sums { times } else { 0 }, 0));
        sums
    }

    /// How often a bit has flipped in what was read of a key.
    pub(super) fn flips_of(&self, key: &str) -> u32 {
        self.lock().flips.get(key).map_or(0, |(_, made)| *made)
    }

    pub(super) fn flip_no_more(&self, key: &str) {
        self.lock().flips.remove(key);
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
        let wire = Wire::new(core, stream);
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
        if trouble == Some(Trouble::FlipsRequest) {
            flip_a_bit(&wire.core, &mut request.body);
        }
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
        let answer = match trouble {
            Some(Trouble::FailsSome) => {
                let refused = wire.core.random_u64();
                let is_refused = |at: usize| refused >> (at % 64) & 1 == 1;
                self.lock().bucket.delete_many(&request, is_refused)
            }
            // Of what breaks off the bit may be lost, and it would be taken for mended.
            Some(Trouble::CutsAnswer) => self.flipped(&wire.core, &request, 2),
            _ => self.flipped(&wire.core, &request, 1),
        };
        let answer = answer.encode(is_head);
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

    /// An answer, in whose bytes a bit flips where that was asked for so often yet.
    fn flipped(&self, core: &Core, request: &Request, least: u32) -> Answer {
        let mut shared = self.lock();
        let mut answer = shared.bucket.answer(request);
        let is_read = request.method == "GET" && matches!(answer.status, 200 | 206);
        if let Some((left, made)) = shared.flips.get_mut(&request.key)
            && is_read
            && *left >= least
            && !answer.body.is_empty()
        {
            (*left, *made) = (*left - 1, *made + 1);
            let mut bytes = answer.body.to_vec();
            flip_a_bit(core, &mut bytes);
            answer.body = bytes.into();
        }
        answer
    }

    fn draw(&self, core: &Core, request: &Request) -> Option<Trouble> {
        if !self.makes_trouble {
            return None;
        }
        let mut shared = self.lock();
        let shared = &mut *shared;
        let range = request.header("range").unwrap_or_default();
        let name = format!("{} {} {:?} {range}", request.method, request.key, request.query);
        let token = request.header("x-amz-security-token").expect("a token").to_owned();
        let clock = self.clock(core);
        let (sums, was_flipped) = (shared.bucket.sums(), shared.flipped.contains(&name));
        let in_a_row = shared.in_a_row.entry(name.clone()).or_default();
        // One that has ended stays so. Whoever heard of it shows another; a call that was given up did not.
        if in_a_row.last().is_some_and(|it| *it == (Trouble::EndsToken, token.clone())) {
            return Some(Trouble::EndsToken);
        }
        let can_come = |index: &usize| {
            let trouble = Trouble::ALL[*index];
            if trouble == Trouble::FlipsRequest && (!sums || was_flipped && self.is_fair) {
                return false;
            }
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
                if Trouble::ALL[index] == Trouble::FlipsRequest {
                    shared.flipped.insert(name);
                }
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

fn flip_a_bit(core: &Core, bytes: &mut [u8]) {
    let at = (core.random_u64() % (8 * bytes.len() as u64)) as usize;
    bytes[at / 8] ^= 1 << (at % 8);
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
