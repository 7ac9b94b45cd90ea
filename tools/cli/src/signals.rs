//! SIGINT and SIGTERM end a command early but cleanly: its work is dropped, and dropping aborts
//! uploads and removes temporaries (DATA-3). A second signal ends the process at once.

use std::fmt;
use std::future::Future;
use std::io;
use std::process;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::watch;

use crate::exit::{CANCELLED, Failure};

/// What asked the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit code: 128 and the number of the signal, as shells have it.
    pub fn code(self) -> u8 {
        match self {
            Signal::Interrupt => CANCELLED,
            Signal::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        })
    }
}

/// Runs a command on the calling thread until it ends or a signal comes; then it is dropped before
/// this returns.
pub fn run<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut received = watch_signals().map_err(Failure::local("watch for signals"))?;
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(Failure::local("set up the main thread"))?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            signal = first(&mut received) => Err(Failure::Signal(signal)),
            result = command => result,
        }
    })
}

/// The handlers are in place when this returns. A thread of its own hears the signals, so that the
/// second one is heard while the main thread still cleans up.
fn watch_signals() -> io::Result<watch::Receiver<Option<Signal>>> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (interrupt, terminate) = {
        let _inside = runtime.enter();
        (unix::signal(SignalKind::interrupt())?, unix::signal(SignalKind::terminate())?)
    };
    let (tell, received) = watch::channel(None);
    let listen = move || listen(&runtime, interrupt, terminate, &tell);
    thread::Builder::new().name("hydrant-signals".to_owned()).spawn(listen)?;
    Ok(received)
}

fn listen(
    runtime: &Runtime,
    mut interrupt: unix::Signal,
    mut terminate: unix::Signal,
    tell: &watch::Sender<Option<Signal>>,
) {
    loop {
        let signal = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
            }
        });
        if tell.send_replace(Some(signal)).is_some() {
            process::exit(i32::from(signal.code()));
        }
    }
}

async fn first(received: &mut watch::Receiver<Option<Signal>>) -> Signal {
    match received.wait_for(Option::is_some).await.map(|signal| *signal) {
        Ok(Some(signal)) => signal,
        // The thread that tells never ends before the process does.
        _ => std::future::pending().await,
    }
}
