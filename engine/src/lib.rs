//! A thread-per-core I/O runtime for Linux: io_uring, registered buffers, O_DIRECT files, sockets;
//! epoll and a few threads where io_uring is refused.
//!
//! The engine moves bytes between files, sockets and memory for the least CPU and within a fixed
//! amount of memory. It has never heard of HTTP or object storage.
//!
//! - An [`Engine`] runs cores, each a thread with a ring, tasks, timers and an inbox.
//! - All payload lies in one [`Pool`], mapped once and registered with the kernel once. A piece of
//!   it is a [`Lease`].
//! - An op owns its buffer until the kernel has sent its last completion, whatever happens to the
//!   future that waits for it.
//! - Where the kernel refuses something, the work is done another way, and
//!   [`Engine::capabilities`] says what and why.
//!
//! The rules behind this have names (OWN-1, POOL-1, CORE-1 …) and stand in `docs/architecture.md`.
//!
//! ```
//! use hydrant_engine::{Engine, File, OpenOptions};
//!
//! # fn main() -> Result<(), hydrant_engine::Error> {
//! let engine = Engine::builder().cores(1).pool_bytes(8 << 20).start()?;
//! let length = engine
//!     .on_core(0, |core| async move {
//!         let options = OpenOptions::new().read();
//!         let file = File::open(&core, "/etc/os-release".as_ref(), &options).await?;
//!         let lease = core.pool().lease(4096, "example").await?;
//!         let (read, _lease) = file.read_at(&core, lease, 0..4096, 0).await;
//!         read
//!     })?
//!     .wait()??;
//! assert!(length > 0);
//! # Ok(())
//! # }
//! ```

mod config;
mod cores;
mod engine;
mod error;
mod file;
mod metrics;
#[cfg(all(test, hydrant_model))]
mod models;
mod net;
mod op;
mod park;
mod pool;
mod ring;
mod sync;
mod trace;

// The public interface is:
pub use config::{
    CORES_MAX, Config, ConnectLimits, ControlLimits, CoreLimits, DriverChoice, FileLimits,
    OpLimits, PollLimits, RingLimits, StopLimits,
};
pub use cores::{Answer, Core, Driven, Elapsed, LocalTask, Pace, Service, Sleep, Task, block_on};
pub use engine::{Engine, EngineBuilder};
pub use error::{Error, OsError, RecvError, Result};
pub use file::{
    AccessHint, BufResult, Direct, File, Metadata, OpenOptions, Unnamed, make_dir,
    metadata_beneath, remove_dir, remove_file, rename,
};
pub use metrics::{CopyReason, Metrics, MetricsSnapshot};
pub use net::{
    RecvMode, Stream, TcpListener, TcpStream, TlsError, TlsProblem, ZeroCopyChoice, resolve,
};
#[cfg(feature = "tls")]
pub use net::{
    TlsConfig, TlsConfigBuilder, TlsLimits, TlsMemory, TlsServerConfig, TlsStream, TlsVersion,
};
pub use op::{LocalFuture, SendList};
pub use pool::{
    ArenaBacking, Buf, Lease, LeaseFuture, Pool, PoolConfig, PoolError, PoolStats, Region,
    RegionOwner, Registered, Registration, Returned, StableBuf, Ticket, TicketFuture,
    TicketRequest, borrow_all_blocking, borrow_blocking,
};
pub use ring::{Capabilities, Feature, FeatureState};

#[cfg(any(test, feature = "testing"))]
pub use cores::Simulation;
#[cfg(any(test, feature = "testing"))]
pub use op::PlantedBug;
#[cfg(any(test, feature = "testing"))]
pub use pool::QuarantineHit;
#[cfg(any(test, feature = "testing"))]
pub use ring::sim;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
