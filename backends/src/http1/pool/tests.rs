use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use hydrant_engine::{DriverChoice, Engine, Task};

use super::*;
use crate::http1::RequestHead;
use crate::http1::request::Method;

/// Long enough that only a hang reaches it.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn one_look_up_serves_all_that_wait() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let engine = Engine::builder().cores(1).pool_bytes(16 << 20).start().expect("an engine");
    let origin = Origin {
        host: "localhost".into(),
        port,
        #[cfg(feature = "tls")]
        tls: None,
    };
    // Two jobs that hang, with the look-up of one task between them and that of the other behind.
    let (let_first, first) = mpsc::channel::<()>();
    let (let_second, second) = mpsc::channel::<()>();
    let hang = |hanging: mpsc::Receiver<()>| {
        let task = engine.on_core(0, |core| async move {
            // A channel that is closed ends the wait as well.
            core.blocking(move || hanging.recv().is_ok()).await.expect("room")
        });
        let task = task.expect("spawned");
        settle(&engine);
        task
    };
    let open = || {
        let origin = origin.clone();
        let task = engine.on_core(0, |core| async move {
            let pool = core.local(|| ConnectionPool::new(origin, HttpLimits::default()));
            pool.lend(&core, pool.place().await, true).await.map(drop)
        });
        let task = task.expect("spawned");
        settle(&engine);
        task
    };
    let (hung_first, opened_first) = (hang(first), open());
    let (hung_second, opened_second) = (hang(second), open());
    assert!(!opened_first.is_finished() && !opened_second.is_finished());
    let_first.send(()).expect("it hangs");
    assert!(wait(hung_first));
    wait(opened_first).expect("connected");
    wait(opened_second).expect("connected with the other's answer");
    assert!(!hung_second.is_finished());
    let_second.send(()).expect("it hangs");
    assert!(wait(hung_second));
}

/// A name whose addresses are old is asked for again, and nobody waits for it.
#[test]
fn a_name_that_has_moved_is_followed() {
    // At all addresses of loopback, one of which the name no longer has.
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    // However long the look-up takes, there is room for another connection. It ends with the process.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let engine = Engine::builder().cores(1).pool_bytes(16 << 20).start().expect("an engine");
    let mut limits = HttpLimits::default();
    limits.addresses.age_max = Duration::ZERO;
    let moved = engine.on_core(0, move |core| async move {
        let origin = Origin {
            host: "localhost".into(),
            port,
            #[cfg(feature = "tls")]
            tls: None,
        };
        let pool = ConnectionPool::new(origin, limits);
        let old = SocketAddr::from(([127, 0, 0, 9], port));
        pool.addresses.borrow_mut().learn(core.now(), &[old]);
        let first = pool.lend(&core, pool.place().await, true).await.expect("connected").peer();
        let mut then = first;
        while then == first {
            core.sleep(Duration::from_millis(1)).await;
            then = pool.lend(&core, pool.place().await, true).await.expect("connected").peer();
        }
        (first == old, then.ip().is_loopback())
    });
    assert_eq!(wait(moved.expect("spawned")), (true, true));
}

/// One that refuses is left out from then on, until its time is over.
#[test]
fn an_address_that_refuses_is_passed_over() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let engine = Engine::builder().cores(1).pool_bytes(16 << 20).start().expect("an engine");
    let fronts = engine.on_core(0, move |core| async move {
        let origin = Origin {
            host: "a name that nobody asks for".into(),
            port,
            #[cfg(feature = "tls")]
            tls: None,
        };
        let pool = ConnectionPool::new(origin, HttpLimits::default());
        let [dead, alive] = [9, 1].map(|host| SocketAddr::from(([127, 0, 0, host], port)));
        pool.addresses.borrow_mut().learn(core.now(), &[dead, alive]);
        let lent = pool.lend(&core, pool.place().await, true).await.expect("connected").peer();
        let known = &pool.addresses;
        let fronts = [0, 1].map(|_| known.borrow_mut().next(core.now())[0]);
        (lent, fronts, alive)
    });
    let (lent, fronts, alive) = wait(fronts.expect("spawned"));
    assert_eq!((lent, fronts), (alive, [alive; 2]));
}

/// Nobody uses the pool any more; the server sees the end all the same.
#[test]
fn what_idles_is_closed_when_its_time_is_over() {
    for driver in [DriverChoice::Uring, DriverChoice::Poll] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let address = listener.local_addr().expect("bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(LIMIT)).expect("set");
            let mut memory = [0; 1024];
            let asked = stream.read(&mut memory).expect("a request");
            assert!(memory[..asked].ends_with(b"\r\n\r\n"));
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("sent");
            stream.read(&mut memory).expect("an end, and no hang")
        });
        let engine = Engine::builder().cores(1).pool_bytes(16 << 20).driver(driver).start();
        let engine = engine.expect("an engine");
        let used = engine.on_core(0, move |core| async move {
            let origin = Origin {
                host: address.ip().to_string(),
                port: address.port(),
                #[cfg(feature = "tls")]
                tls: None,
            };
            let limits = HttpLimits { idle: Duration::from_millis(10), ..HttpLimits::default() };
            let pool = core.local(|| ConnectionPool::new(origin, limits));
            let mut lent = pool.lend(&core, pool.place().await, false).await.expect("connected");
            let write = |out: &mut [u8]| {
                let head = b"GET / HTTP/1.1\r\n\r\n";
                out[..head.len()].copy_from_slice(head);
                Ok(RequestHead { bytes: head.len(), method: Method::Get, expects_continue: false })
            };
            lent.exchange(write, None, |head, _| head.status()).await.result.expect("answered")
        });
        assert_eq!(wait(used.expect("spawned")), 204);
        assert_eq!(server.join().expect("no panic"), 0, "the end of the connection");
    }
}

/// The core has polled what it was handed before, each once at least.
fn settle(engine: &Engine) {
    wait(engine.on_core(0, |_| async {}).expect("spawned"));
}

#[track_caller]
fn wait<T>(task: Task<T>) -> T {
    task.wait_timeout(LIMIT).unwrap_or_else(|_| panic!("a hang")).expect("no panic")
}
