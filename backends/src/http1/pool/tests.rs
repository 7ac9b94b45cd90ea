use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use hydrant_engine::{Engine, Task};

use super::*;

/// Long enough that only a hang reaches it.
const LIMIT: Duration = Duration::from_secs(60);

fn addresses(given: &[&str]) -> Vec<SocketAddr> {
    given.iter().map(|it| it.parse().expect("an address")).collect()
}

#[test]
fn each_address_of_a_family_gets_its_turn_at_the_front() {
    let given = addresses(&["192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.2:80", "192.0.2.3:80"]);
    let mut fronts = HashMap::new();
    for turn in 0..12 {
        let turned = starting_at(&given, turn);
        assert!(given.iter().all(|it| turned.contains(it)) && turned.len() == given.len());
        let front = turned.into_iter().find(SocketAddr::is_ipv4).expect("three of them");
        *fronts.entry(front).or_insert(0) += 1;
    }
    assert_eq!(fronts.into_values().collect::<Vec<_>>(), [4, 4, 4]);
    assert!(starting_at(&[], 7).is_empty());
    assert_eq!(starting_at(&given[..1], usize::MAX), given[..1]);
}

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
            pool.lend(&core, true).await.map(drop)
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

/// The core has polled what it was handed before, each once at least.
fn settle(engine: &Engine) {
    wait(engine.on_core(0, |_| async {}).expect("spawned"));
}

#[track_caller]
fn wait<T>(task: Task<T>) -> T {
    task.wait_timeout(LIMIT).unwrap_or_else(|_| panic!("a hang")).expect("no panic")
}
