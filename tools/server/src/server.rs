//! A server on threads of its own, so that a program without a runtime can have one.

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};

use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::api::Api;
use crate::config::Config;
use crate::connection::Front;
use crate::error::ServerError;
use crate::host::BaseDomain;
use crate::stats::{Counters, ServerStats};
use crate::store::{Store, StoreOptions};
use crate::tls;

/// Starts servers.
pub struct Server;

impl Server {
    /// Opens the directory, listens, and serves on threads of its own. When this returns, a client can connect.
    ///
    /// # Errors
    ///
    /// The directory cannot be used or is served already, or the address cannot be listened on.
    pub fn start(config: Config) -> Result<ServerHandle, ServerError> {
        let store = Arc::new(Store::open(StoreOptions {
            root: config.root.clone(),
            durable: config.durable,
            part_bytes_min: config.limits.part_bytes_min,
            list_etag_bytes_max: config.limits.list_etag_bytes_max,
        })?);
        let acceptor = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let runtime = runtime(&config)?;
        let (listener, addr) = match listen(&runtime, &config) {
            Ok(listening) => listening,
            Err(source) => {
                // Dropping it would wait, which a caller inside another runtime may not.
                runtime.shutdown_background();
                return Err(ServerError::Listen { addr: config.listen, source });
            }
        };
        let counters = Arc::new(Counters::default());
        let (stop, stopping) = watch::channel(false);
        if config.stop_on_stdin_eof {
            stop_on_stdin_eof(stop.clone())?;
        }
        let front = Arc::new(Front {
            service: service(&config, store),
            counters: counters.clone(),
            signed: config.credentials.is_some(),
            tls: acceptor,
            throttle_bytes_per_second: config.throttle_bytes_per_second,
            limits: config.limits.clone(),
            next_request: AtomicU64::new(1),
        });
        let stop_timeout = config.limits.stop_timeout;
        let thread = named("hydrant-server").spawn(move || {
            runtime.block_on(front.accept(listener, stopping));
            runtime.shutdown_timeout(stop_timeout);
        });
        let thread = thread
            .map_err(|source| ServerError::Runtime { operation: "start a thread", source })?;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        Ok(ServerHandle { addr, scheme, counters, stop, thread: Some(thread) })
    }
}

/// Serves until SIGINT, SIGTERM or, if so configured, the end of standard input; running requests may end. `ready` is
/// told the address once clients can connect. Blocks, and prints nothing.
///
/// # Errors
///
/// As [`Server::start`], or the signals cannot be watched.
pub fn run_until_signal(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<(), ServerError> {
    let failed = |source| ServerError::Runtime { operation: "watch for signals", source };
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    // Watched before the server is announced: from then on somebody may stop it.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let watch = |kind| signal(kind).map_err(failed);
        (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?)
    };
    let server = Server::start(config)?;
    ready(server.addr());
    let mut stopping = server.stop.subscribe();
    runtime.block_on(async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    });
    server.stop();
    Ok(())
}

/// A running server. Dropping it stops it.
pub struct ServerHandle {
    addr: SocketAddr,
    scheme: &'static str,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl ServerHandle {
    /// Where it listens, with the port that it got.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The endpoint as clients want it: `http://ADDR`, or `https://ADDR`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// What it has been asked so far.
    pub fn stats(&self) -> ServerStats {
        self.counters.snapshot()
    }

    /// Takes no more connections, lets running requests end within [`crate::Limits::stop_timeout`], and waits for that.
    pub fn stop(self) {
        drop(self);
    }

    /// Waits until the server was stopped by the end of standard input.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.join();
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("addr", &self.addr)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn runtime(config: &Config) -> Result<Runtime, ServerError> {
    Builder::new_multi_thread()
        .worker_threads(config.threads.max(1))
        .max_blocking_threads(config.limits.blocking_threads_max.max(1))
        .thread_name("hydrant-serve")
        .enable_all()
        .build()
        .map_err(|source| ServerError::Runtime { operation: "start the runtime", source })
}

fn listen(runtime: &Runtime, config: &Config) -> io::Result<(TcpListener, SocketAddr)> {
    let _inside = runtime.enter();
    let socket = if config.listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server gets its port back while old connections are still timing out.
    socket.set_reuseaddr(true)?;
    socket.bind(config.listen)?;
    let listener = socket.listen(config.limits.accept_backlog)?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

fn service(config: &Config, store: Arc<Store>) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Api::new(store, config));
    let mut protocol = S3Config::default();
    protocol.xml_max_body_size = config.limits.xml_body_bytes_max;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(protocol))));
    if let Some(credentials) = &config.credentials {
        builder.set_auth(SimpleAuth::from_single(
            credentials.access_key.clone(),
            credentials.secret_key.clone(),
        ));
    }
    if let Some(domain) = &config.base_domain {
        builder.set_host(BaseDomain::new(domain));
    }
    builder.build()
}

/// The thread stays until standard input ends, the server or no server: a read cannot be called off.
fn stop_on_stdin_eof(stop: watch::Sender<bool>) -> Result<(), ServerError> {
    let watch = move || {
        let mut piece = [0; 512];
        let mut stdin = io::stdin().lock();
        loop {
            match stdin.read(&mut piece) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        stop.send_replace(true);
    };
    let started = named("hydrant-stdin").spawn(watch);
    started.map(drop).map_err(|source| ServerError::Runtime { operation: "start a thread", source })
}

fn named(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned())
}
