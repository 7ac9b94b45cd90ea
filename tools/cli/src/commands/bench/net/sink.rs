//! `hydrant bench net sink`: the other end of `send` and `receive`. It keeps nothing of what it
//! receives, and what it sends is random.

use std::cell::Cell;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hydrant::engine::{Buf, Core, Error, Lease, RecvMode, TcpListener, TcpStream};

use super::super::setup;
use super::blocks::{self, STALL_LIMIT};
use super::wire::{COUNT_BYTES, GREETING_BYTES, Greeting, Way};
use crate::exit::Failure;
use crate::options::Options;
use crate::pipe::Input;
use crate::signals;

pub const NAME: &str = "bench net sink";

/// Connections of one core at a time; one more is closed at once.
const CONNECTIONS_MAX: usize = 1024;
/// How long a core waits before it accepts again after it could not (`EMFILE`, `ENFILE`).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Memory of a sink that nobody told how much: for 248 connections with blocks of 1 MiB.
const POOL_BYTES: u64 = 256 << 20;

/// Be the other end of `bench net send` and `bench net receive`, until a signal
///
/// It takes whatever a client sends and drops it, or sends random bytes to a client that asks.
/// Whoever reaches it can keep it busy, so it listens on this machine alone unless told otherwise.
/// Its pool must hold a block for each connection.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant bench net sink --listen 192.0.2.7:9500 --cores 4
  hydrant bench net send 192.0.2.7:9500                    on another machine")]
pub struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Each core on a CPU of its own
    #[arg(long)]
    pin: bool,

    /// Stop when stdin ends
    #[arg(long, hide = true)]
    stop_on_stdin_eof: bool,

    /// Print the address as the first line on stdout
    #[arg(long, hide = true)]
    print_address: bool,
}

/// Runs it. A signal is how it is meant to end.
pub fn run(args: Args, options: &Options) -> Result<(), Failure> {
    match signals::run(serve(args, options)) {
        Err(Failure::Signal(_)) => Ok(()),
        result => result,
    }
}

async fn serve(args: Args, options: &Options) -> Result<(), Failure> {
    let client = setup::start(options, POOL_BYTES, |config| config.pin_cores = args.pin)?;
    let engine = client.engine();
    let listener = TcpListener::bind(args.listen).map_err(|error| {
        Failure::Config(format!("{error}; choose another address with --listen"))
    })?;
    let accept = |index| {
        let listener = listener.clone();
        engine.on_core(index, move |core| async move { accept(core, listener).await })
    };
    let tasks = (0..engine.cores()).map(accept).collect::<Result<Vec<_>, _>>()?;
    announce(&args, listener.local_addr(), options)?;
    if args.stop_on_stdin_eof {
        let mut input = Input::stdin()?;
        while let Some(chunk) = input.next().await {
            chunk?;
        }
        return Ok(());
    }
    for task in tasks {
        task.await?;
    }
    Ok(())
}

fn announce(args: &Args, address: SocketAddr, options: &Options) -> Result<(), Failure> {
    options.say(&format!("listening on {address}; Ctrl-C stops it"));
    options.say(&format!("try: hydrant bench net send {address}"));
    if !address.ip().is_loopback() {
        options.say("everybody who reaches it may keep it busy");
    }
    match args.print_address {
        true => {
            let mut out = io::stdout();
            writeln!(out, "{address}").and_then(|()| out.flush()).map_err(Failure::stdout)
        }
        false => Ok(()),
    }
}

/// Takes connections on one core for ever.
async fn accept(core: Core, listener: TcpListener) {
    let open = Rc::new(Cell::new(0));
    loop {
        let stream = match listener.accept(&core).await {
            Ok(stream) => stream,
            Err(Error::Cancelled | Error::Stopped) => return,
            Err(error) => {
                core.report(format_args!("{error}"));
                core.sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        if open.get() >= CONNECTIONS_MAX {
            core.report(format_args!("more than {CONNECTIONS_MAX} connections; one was closed"));
            continue;
        }
        open.set(open.get() + 1);
        let (task_core, open) = (core.clone(), Rc::clone(&open));
        let started = core.spawn(async move {
            if let Err(failure) = attend(&task_core, stream).await {
                task_core.report(format_args!("a connection failed: {failure}"));
            }
            open.set(open.get() - 1);
        });
        match started {
            Ok(task) => task.detach(),
            Err(error) => return core.report(format_args!("{error}")),
        }
    }
}

/// Does what the client of one connection asks for.
async fn attend(core: &Core, stream: TcpStream) -> Result<(), Failure> {
    let head = core.head_lease(GREETING_BYTES, "greeting").await?;
    let (received, head) = stream.recv(head, 0..GREETING_BYTES, RecvMode::Fill, STALL_LIMIT).await;
    if received.map_err(|failed| failed.error)? == 0 {
        // Somebody looked whether anybody listens.
        return Ok(());
    }
    let mut head = head.into_lease().expect("a lease comes back as one");
    let greeting = Greeting::read(&head.as_mut_slice()[..GREETING_BYTES]);
    let refused = || Failure::Usage("no client of this version; it was closed".to_owned());
    let greeting = greeting.ok_or_else(refused)?;
    let lease = block(core, greeting.block_bytes as usize)?;
    match greeting.way {
        Way::Send => {
            let moved = blocks::receive(core, &stream, lease, RecvMode::Fill).await?;
            head.as_mut_slice()[..COUNT_BYTES].copy_from_slice(&moved.bytes.to_le_bytes());
            stream.send(Buf::from(head), 0..COUNT_BYTES, false, STALL_LIMIT).await.0?;
        }
        Way::Receive => {
            let (until, zero_copy) = (greeting.until, greeting.zero_copy);
            blocks::send(core, &stream, lease, until, zero_copy).await?;
        }
    }
    Ok(())
}

/// Memory for a block at once or not at all: nobody waits for memory with a connection in hand
/// (POOL-1).
fn block(core: &Core, bytes: usize) -> Result<Lease, Failure> {
    let lease = core.pool().try_lease(bytes, "block");
    let mut lease = lease.ok_or_else(|| {
        Failure::Usage(format!(
            "there is no memory for a block of {bytes} bytes; start the sink with a larger --pool"
        ))
    })?;
    for word in lease.as_mut_slice().chunks_mut(8) {
        let random = core.random_u64().to_le_bytes();
        word.copy_from_slice(&random[..word.len()]);
    }
    lease.set_len(bytes);
    Ok(lease)
}
