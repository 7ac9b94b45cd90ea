//! With the feature `tracing`, what is rare is told, and payload never is (SEC-1).

#![cfg(feature = "tracing")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hydrant_engine::{Engine, Error, RecvMode, TcpListener, TcpStream};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<String>>);

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().expect("no panic in here");
        let _ = write!(text, "{} ", event.metadata().level());
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{value:?}");
    }
}

const SECRET: &[u8] = b"nobody may read this in a log";

#[test]
fn starts_stalls_panics_and_ends_are_told() {
    let heard = Heard::default();
    tracing::subscriber::set_global_default(heard.clone()).expect("the only test of this program");
    let engine = Engine::builder().cores(1).pool_bytes(8 << 20).start().expect("an engine");
    let panics = engine.on_core(0, |_| async { panic!("planned") }).expect("room");
    panics.wait().expect_err("it panics");
    let stalls = engine.on_core(0, |core| async move {
        let listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
        let limit = Duration::from_secs(5);
        let near = TcpStream::connect(&core, listener.local_addr(), limit).await?;
        let far = listener.accept(&core).await?;
        let lease = core.pool().lease(4096, "test").await?;
        let mut sent = core.pool().lease(4096, "test").await?;
        sent.as_mut_slice()[..SECRET.len()].copy_from_slice(SECRET);
        far.send(sent, 0..SECRET.len(), false, limit).await.0?;
        let short = Duration::from_millis(20);
        let (stalled, _) = near.recv(lease, 0..4096, RecvMode::Fill, short).await;
        near.reset();
        Ok::<_, Error>(stalled.map_err(Error::from))
    });
    let stalled = stalls.expect("room").wait().expect("no panic").expect("a connection");
    assert!(matches!(stalled, Err(Error::Stalled { .. })));
    engine.stop().expect("it stops");
    let text = heard.0.lock().expect("no panic").clone();
    let told = [
        "DEBUG the driver is ",
        "DEBUG core 0 runs",
        "ERROR work on a core panicked",
        "WARN recv: 127.0.0.1:",
        "is reset",
        "DEBUG core 0 has ended",
    ];
    for line in told {
        assert!(text.contains(line), "{line:?} is missing:\n{text}");
    }
    let secret = std::str::from_utf8(SECRET).expect("text");
    assert!(!text.contains(secret), "payload was told");
}
