//! What idles, in a simulated world: hours pass in no time, and a seed draws the order of the cores.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use hydrant_engine::sim::{SimConfig, World, seeds};
use hydrant_engine::{Config, RecvMode, RegionOwner, Simulation, Task, TcpListener, TcpStream};

use super::*;
use crate::http1::pool::Lent;
use crate::http1::request::Method;
use crate::http1::{ConnectionPool, HttpError, HttpLimits, Origin, RequestHead};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// Memory for the heads of two connections, and not of three.
const ROOM_FOR_TWO: usize = 48 << 10;

/// The core of the server.
const SERVING: usize = 2;

fn server() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 80))
}

/// Two cores for the test and one for a server, which tells when its connections ended.
struct House {
    simulation: Simulation,
    ended: Arc<Mutex<Vec<Instant>>>,
}

impl House {
    fn new(seed: u64) -> House {
        let mut config = Config::default();
        config.cores = SERVING + 1;
        (config.pool.pool_bytes, config.pool.head_share_bytes) = (4 << 20, Some(ROOM_FOR_TWO));
        let simulation = Simulation::new(World::new(seed, SimConfig::calm()), config);
        let simulation = simulation.expect("an arena");
        let listener = TcpListener::simulated(simulation.world(), server()).expect("free");
        let ended: Arc<Mutex<Vec<_>>> = Arc::default();
        let told = Arc::clone(&ended);
        let serving = simulation.engine().on_core(SERVING, |core| async move {
            loop {
                let stream = listener.accept(&core).await.expect("a connection");
                let served = serve(core.clone(), stream, Arc::clone(&told));
                core.spawn(served).expect("room").detach();
            }
        });
        serving.expect("room").detach();
        House { simulation, ended }
    }

    fn run<T: Send + 'static, F>(
        &mut self,
        index: usize,
        work: impl FnOnce(Core) -> F + Send + 'static,
    ) -> T
    where
        F: Future<Output = T> + 'static,
    {
        let task: Task<T> = self.simulation.engine().on_core(index, work).expect("room");
        self.simulation.run(task).expect("no panic")
    }

    fn pass(&mut self, time: Duration) {
        self.simulation.run_for(time).expect("a simulated ring");
    }

    fn ended(&self) -> usize {
        self.ended.lock().expect("no panic").len()
    }

    /// Everything is back, whatever idles.
    fn stop(self) {
        self.simulation.stop().expect("a simulated ring");
    }
}

/// Answers each request with nothing, until the client leaves.
async fn serve(core: Core, stream: TcpStream, ended: Arc<Mutex<Vec<Instant>>>) {
    let mut asked = Vec::new();
    loop {
        let (_, memory) = RegionOwner::new(vec![0; 1024]);
        let (received, memory) = stream.recv(memory, 0..1024, RecvMode::Some, HOUR * 2).await;
        let received = received.unwrap_or(0);
        if received == 0 {
            return ended.lock().expect("no panic").push(core.now());
        }
        asked.extend_from_slice(&memory.as_slice()[..received]);
        if asked.ends_with(b"\r\n\r\n") {
            asked.clear();
            let answer = Bytes::from_static(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            let len = answer.len();
            stream.send(answer, 0..len, false, HOUR).await.0.expect("sent");
        }
    }
}

fn pool(core: &Core, idle: Duration) -> ConnectionPool {
    let origin = Origin {
        host: "a name that nobody asks for".into(),
        port: server().port(),
        #[cfg(feature = "tls")]
        tls: None,
    };
    let pool = ConnectionPool::new(origin, HttpLimits { idle, ..HttpLimits::default() });
    pool.addresses.borrow_mut().learn(core.now(), &[server()]);
    pool
}

async fn lend<'a>(core: &Core, pool: &'a ConnectionPool) -> Result<Lent<'a>, HttpError> {
    pool.lend(core, pool.place().await, false).await
}

/// A connection that has served a request.
async fn used<'a>(core: &Core, pool: &'a ConnectionPool) -> Lent<'a> {
    let mut lent = lend(core, pool).await.expect("connected");
    let write = |out: &mut [u8]| {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        out[..head.len()].copy_from_slice(head);
        Ok(RequestHead { bytes: head.len(), method: Method::Get, expects_continue: false })
    };
    let answered = lent.exchange(write, None, |head, _| head.status()).await;
    assert_eq!(answered.result.expect("answered"), 200);
    lent
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[test]
fn a_connection_whose_memory_is_waited_for_is_not_kept() {
    seeds(20, |seed| {
        let mut house = House::new(seed);
        house.run(0, |core| async move {
            let (one, other) = (pool(&core, HOUR), pool(&core, HOUR));
            let mut held = vec![used(&core, &one).await, used(&core, &one).await];
            let mut waiting = pin!(lend(&core, &other));
            assert!(poll_once(waiting.as_mut()).await.is_pending());
            assert!(core.pool().heads_are_waited_for());
            held.pop();
            assert!(!core.pool().heads_are_waited_for() && one.idle.len() == 0);
            waiting.await.expect("served");
            held.pop();
            assert_eq!(one.idle.len(), 1, "nobody waits any more");
        });
        house.stop();
    });
}

#[test]
fn who_would_have_to_wait_has_what_idles_closed_first() {
    seeds(20, |seed| {
        let mut house = House::new(seed);
        house.run(0, |core| async move {
            let (one, other) = (pool(&core, HOUR), pool(&core, HOUR));
            drop([used(&core, &one).await, used(&core, &one).await]);
            assert_eq!(one.idle.len(), 2);
            let mut asking = pin!(lend(&core, &other));
            assert!(poll_once(asking.as_mut()).await.is_pending(), "it connects");
            assert!(!core.pool().heads_are_waited_for() && one.idle.len() == 1);
            asking.await.expect("connected");
        });
        house.stop();
    });
}

#[test]
fn what_idles_on_another_core_starves_nobody() {
    seeds(20, |seed| {
        let mut house = House::new(seed);
        house.run(0, |core| async move {
            let kept = core.local(|| pool(&core, HOUR));
            drop([used(&core, &kept).await, used(&core, &kept).await]);
        });
        house.run(1, |core| async move {
            let own = pool(&core, HOUR);
            drop(lend(&core, &own).await.expect("served before the wait is over"));
        });
        house.stop();
    });
}

#[test]
fn what_is_idle_for_too_long_is_closed_though_nobody_comes_by() {
    seeds(20, |seed| {
        let mut house = House::new(seed);
        let use_two = |core: Core| async move {
            let kept = core.local(|| pool(&core, 4 * SECOND));
            drop([used(&core, &kept).await, used(&core, &kept).await]);
        };
        for ended_before in [0, 2] {
            house.run(0, use_two);
            house.pass(3 * SECOND);
            assert_eq!(house.ended(), ended_before);
            house.pass(2 * SECOND);
            assert_eq!(house.ended(), ended_before + 2);
            let is_swept =
                |core: Core| async move { core.local(IdleOfCore::default).is_swept.get() };
            assert!(!house.run(0, is_swept), "the task ends with the last that idles");
        }
        house.stop();
    });
}
