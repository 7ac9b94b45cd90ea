//! A bad line: passes the bytes of each connection on, late, slowly, with pauses, and not always to the
//! end. Loopback shows none of this, and not every kernel has `tc netem`.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

use crate::Dice;

/// Pieces of one direction that are on their way; what is beyond them waits at the sender.
const PIECES_MAX: usize = 64;

const PIECE_BYTES: usize = 32 << 10;

/// What a line does to the bytes of each connection.
#[derive(Debug, Clone)]
pub struct Weather {
    /// How long bytes to the server, and from it, are on their way.
    pub delay: [Duration; 2],
    /// Bytes a second of each direction of a connection; 0 is no limit.
    pub bytes_per_second: u64,
    /// After so many bytes from the server, nothing comes for a time.
    pub pause: Option<(u64, Duration)>,
    /// A connection is reset after a number of bytes from the server that is drawn from this range.
    pub reset_after: Option<Range<u64>>,
    /// So many connections are reset, and then no more.
    pub resets_max: u32,
}

/// A relay in front of one server. It ends with the value, and its connections with it.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    line: Arc<Line>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Line {
    server: SocketAddr,
    weather: Weather,
    dice: Mutex<Dice>,
    resets: AtomicU32,
    stopping: AtomicBool,
    open: Mutex<Vec<Weak<TcpStream>>>,
}

/// Bytes, and when they came.
type Piece = (Instant, Vec<u8>);

impl Weather {
    /// Nothing happens to the bytes.
    pub fn fair() -> Weather {
        Weather {
            delay: [Duration::ZERO; 2],
            bytes_per_second: 0,
            pause: None,
            reset_after: None,
            resets_max: 0,
        }
    }
}

impl Relay {
    /// A relay on loopback; the seed draws where connections are reset.
    pub fn start(server: SocketAddr, weather: Weather, seed: u64) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let line = Arc::new(Line {
            server,
            weather,
            dice: Mutex::new(Dice::new(seed)),
            resets: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let accepting = thread::spawn({
            let line = Arc::clone(&line);
            move || accept(&listener, &line)
        });
        Relay { address, line, accepting: Some(accepting) }
    }

    /// The endpoint: `http://ADDR`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that were reset so far.
    pub fn resets(&self) -> u32 {
        self.line.resets.load(Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.line.stopping.store(true, Relaxed);
        // Wakes the accept.
        let _ = TcpStream::connect(self.address);
        self.line.close_all();
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, line: &Arc<Line>) {
    let mut calls = Vec::new();
    for client in listener.incoming() {
        let client = client.expect("a connection");
        if line.stopping.load(Relaxed) {
            break;
        }
        let line = Arc::clone(line);
        calls.push(thread::spawn(move || {
            // Whoever called sees that it ends.
            let _ = pass_on(client, &line);
        }));
    }
    line.close_all();
    for call in calls {
        let _ = call.join();
    }
}

fn pass_on(client: TcpStream, line: &Line) -> std::io::Result<()> {
    let (client, server) = (Arc::new(client), Arc::new(TcpStream::connect(line.server)?));
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    line.open().extend([Arc::downgrade(&client), Arc::downgrade(&server)]);
    if line.stopping.load(Relaxed) {
        return Ok(());
    }
    let [there, back] = line.weather.delay;
    let reset_after = line.draw_reset();
    thread::scope(|scope| {
        scope.spawn(|| carry(&client, &server, line, there, None));
        carry(&server, &client, line, back, Some(reset_after));
        let _ = server.shutdown(Shutdown::Both);
        let _ = client.shutdown(Shutdown::Read);
    });
    Ok(())
}

/// Carries one direction until its source ends; `answers` marks that of the server, and may tell after
/// how many bytes it is reset.
fn carry(
    from: &TcpStream,
    to: &TcpStream,
    line: &Line,
    delay: Duration,
    answers: Option<Option<u64>>,
) {
    thread::scope(|scope| {
        let (pieces, arriving) = sync_channel::<Piece>(PIECES_MAX);
        scope.spawn(move || {
            deliver(&arriving, to, line, delay, answers);
            // The source notices, too.
            let _ = from.shutdown(Shutdown::Read);
        });
        let mut source = from;
        loop {
            let mut room = vec![0; PIECE_BYTES];
            match source.read(&mut room) {
                Ok(got) if got > 0 => room.truncate(got),
                _ => return,
            }
            if pieces.send((Instant::now(), room)).is_err() {
                return;
            }
        }
    });
}

fn deliver(
    arriving: &Receiver<Piece>,
    mut to: &TcpStream,
    line: &Line,
    delay: Duration,
    answers: Option<Option<u64>>,
) {
    let weather = &line.weather;
    let mut done = 0;
    for (came, piece) in arriving {
        thread::sleep((came + delay).saturating_duration_since(Instant::now()));
        let bytes = piece.len() as u64;
        let reset = answers.flatten().filter(|at| (done..done + bytes).contains(at));
        let (piece, rest) = piece.split_at(reset.map_or(piece.len(), |at| (at - done) as usize));
        if to.write_all(piece).is_err() {
            return;
        }
        if reset.is_some() && line.reset(to) {
            return;
        }
        if reset.is_some() && to.write_all(rest).is_err() {
            return;
        }
        if weather.bytes_per_second > 0 {
            thread::sleep(Duration::from_secs_f64(bytes as f64 / weather.bytes_per_second as f64));
        }
        if let (Some((at, pause)), Some(_)) = (weather.pause, answers)
            && (done..done + bytes).contains(&at)
        {
            thread::sleep(pause);
        }
        done += bytes;
    }
    let _ = to.shutdown(Shutdown::Write);
}

impl Line {
    fn open(&self) -> MutexGuard<'_, Vec<Weak<TcpStream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw_reset(&self) -> Option<u64> {
        let range = self.weather.reset_after.clone()?;
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        Some(range.start + dice.below(range.end - range.start))
    }

    /// Has the connection end with a reset when its last handle goes, which is at once. `false` where
    /// enough were reset.
    fn reset(&self, stream: &TcpStream) -> bool {
        let more = |resets| (resets < self.weather.resets_max).then_some(resets + 1);
        if self.resets.fetch_update(Relaxed, Relaxed, more).is_err() {
            return false;
        }
        let again = stream.try_clone().expect("a second handle");
        TcpSocket::from_std_stream(again).set_zero_linger().expect("a socket option");
        // No FIN goes ahead of it.
        let _ = stream.shutdown(Shutdown::Read);
        true
    }

    fn close_all(&self) {
        for stream in self.open().drain(..).filter_map(|stream| stream.upgrade()) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
