//! System calls of the caller's own, beside an engine.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use hydrant_engine::Engine;

use crate::host::{config, drivers};

/// Longer than the kernel takes to make threads forget a ring that was closed.
const SLEEP: Duration = Duration::from_millis(200);

#[test]
fn no_call_of_the_thread_that_starts_an_engine_is_interrupted() {
    for driver in drivers() {
        // A receive with a limit of time is never restarted; what interrupts it shows.
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        socket.set_read_timeout(Some(SLEEP)).expect("a limit");
        let sleep = |after: &str| {
            let error = socket.recv(&mut [0; 1]).expect_err("nobody sends");
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{driver:?}, after {after}: {error}");
        };
        let builder = Engine::builder().configure(|it| *it = config()).driver(*driver);
        let engine = builder.start().expect("started");
        sleep("the start");
        let memory = engine.register_memory(vec![0u8; 1 << 20]).expect("from outside");
        sleep("registering");
        drop(memory);
        sleep("the end of a registration");
        engine.stop().expect("stopped");
        sleep("the end");
    }
}
