//! Every limit of the engine, named, with its unit, its default and its reason (LIMIT-1).

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

pub use crate::pool::PoolConfig;

/// Cores of one engine at most: more than a large machine has CPUs, and few enough that a number that
/// is a mistake, such as -1 from C, is told instead of being tried.
pub const CORES_MAX: usize = 1024;

/// What an engine is started with. [`crate::EngineBuilder`] sets the fields; all of them have
/// defaults that suit a machine with a few cores.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Cores (threads with a ring each), at most [`CORES_MAX`]; 0 means one for each CPU that the
    /// process may use.
    pub cores: usize,
    /// Pins core `n` to the `n`-th CPU that the process may use.
    pub pin_cores: bool,
    /// The arena and its line.
    pub pool: PoolConfig,
    /// What one core has in flight.
    pub op: OpLimits,
    /// Who carries the ops out.
    pub driver: DriverChoice,
    /// The ring of one core.
    pub ring: RingLimits,
    /// The driver for where io_uring is refused.
    pub poll: PollLimits,
    /// Files.
    pub file: FileLimits,
    /// Tasks, inbox and turns of one core.
    pub core: CoreLimits,
    /// How stopping goes.
    pub stop: StopLimits,
    /// The thread for work that blocks.
    pub control: ControlLimits,
    /// Who knows the addresses of a name, for a port; asked on the control thread, where it may block.
    /// Default: the system's resolver, in the order that it gives.
    pub look_up: fn(&str, u16) -> std::io::Result<Vec<SocketAddr>>,
    /// Where failures are told that nobody waits for. Default: standard error.
    pub report: fn(std::fmt::Arguments<'_>),
    /// A mistake to be made on purpose, for tests that show that it would be noticed.
    #[cfg(any(test, feature = "testing"))]
    pub planted_bug: Option<crate::op::PlantedBug>,
}

/// Limits of the table of ops in flight, for each core.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OpLimits {
    /// Ops in flight; one more waits for a free slot. Default 1,024: a slot is under 1 KiB.
    pub ops_in_flight_max: u16,
    /// Bytes of one file submission. Default 512 KiB: O_DIRECT submissions of 1 MiB went to kernel
    /// worker threads and were slower (Linux 6.15 to 6.17).
    pub submission_bytes_max: usize,
    /// Sends from so many bytes on go without a copy, where that is left to the engine. Default 16 KiB: below it the
    /// notification costs more than the copy (break-even at 1 to 4 KiB measured by others on Linux 6.15, a clear gain from 16 KiB).
    /// Loopback and links between namespaces copy all the same, so it takes a network card to find a better one:
    /// `hydrant bench net send --zero-copy on` and `off`, with `--block`.
    pub zero_copy_bytes_min: usize,
    /// How often EINTR and EAGAIN are answered by trying again, for each op. Default 1,000.
    pub transient_retries_max: u32,
}

/// Who carries the ops out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DriverChoice {
    /// io_uring; the poll driver where the kernel refuses it (FALL-1).
    #[default]
    Auto,
    /// io_uring, or an error that says why not.
    Uring,
    /// epoll for sockets and threads for files.
    Poll,
}

/// Limits of the poll driver.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PollLimits {
    /// Threads that make file calls, for the whole engine. Default 16: the lanes of one large
    /// transfer, which is what a disk needs in its queue.
    pub file_threads: usize,
}

/// Limits of one core's ring.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RingLimits {
    /// Entries of the submission queue. Default 256; a full queue is flushed, not an error.
    pub submission_entries: u32,
    /// Entries of the completion queue. Default 4,096: four for each op in flight, because
    /// zero-copy sends post two and large transfers have sixteen lanes. An overflow is kept by the
    /// kernel and counted.
    pub completion_entries: u32,
    /// Submissions that are handed to the kernel at once, while the tasks of a turn still run: what
    /// has been asked for early need not wait for the rest. The end of a turn hands over what is
    /// left. Bytes for files count too: 4 MiB, half a part, go at once. Default 64: with 16, an echo over
    /// 64 connections and 64 random reads in flight called the kernel nearly twice as often.
    pub submit_batch: u32,
    /// The same for reads and writes of files: a disk begins with them while tasks still run. Default 16:
    /// handed over all at once, 64 random reads in flight were some 5 % fewer a second, and cost no less
    /// (`docs/performance.md`).
    pub submit_batch_files: u32,
    /// Bytes to send that are handed to the kernel while tasks still run; 0 waits for none. Default 256 KiB: the
    /// kernel copies them within the call. Handed over all at once, sends of 512 KiB over 64 connections took
    /// half as much CPU time again (`docs/performance.md`).
    pub submit_send_bytes: u32,
    /// How long a core that sleeps lets completions gather before one alone wakes it (Linux 6.12).
    /// Fewer and larger turns cost less CPU time; everything waits up to that much longer, messages
    /// from other threads too. Default 0: the first completion wakes.
    pub min_wait: Duration,
    /// So many completions end that wait early. Default 16.
    pub min_wait_completions: u32,
    /// How often a turn calls the kernel again for completions that it has put off: it works off 20 at a
    /// time (Linux 6.13). Tasks run and submit once for all of them then, which costs less than the
    /// calls: 64 random reads in flight took a tenth less CPU time (`docs/performance.md`). Default 1: with
    /// more the disk waits for its next reads.
    pub harvests_max: u32,
    /// Files that one core has installed in its ring at a time; the next one is used through its
    /// ordinary descriptor. Rounded up to a power of two; 0 installs none. Default 64, which every
    /// usual limit on open files allows for.
    pub installed_files_max: u32,
    /// Entries for registered memory of the caller, each of at most 1 GiB, for all registrations
    /// together; what needs more is used unregistered. Default 1,024; with the arena's, of
    /// which there are 8,192 at most, there may be 16,384 (Linux 5.13).
    pub caller_entries_max: u32,
}

/// Limits of files.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FileLimits {
    /// From this length in bytes on, [`crate::AccessHint::Auto`] tells the kernel that a file is read
    /// from its start to its end. Default 64 MiB: below that the kernel's own read-ahead has found out
    /// before it matters.
    pub sequential_bytes_min: u64,
}

/// Limits of one core's turns.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CoreLimits {
    /// Tasks that one core holds. Default 16,384.
    pub tasks_max: usize,
    /// Task polls in one turn before completions are looked at again. Default 256.
    pub polls_per_turn_max: usize,
    /// Tasks handed over by other threads that wait in the inbox. Default 4,096.
    pub inbox_tasks_max: usize,
    /// Sleeping timers. Default 65,536.
    pub timers_max: usize,
    /// Memory of ended futures that is kept for the next ([`crate::Core::boxed`]). Default 256 KiB, some sixty requests to S3.
    pub kept_futures_bytes_max: usize,
    /// How long a core that has done what another thread gave it, with nothing in flight, looks out for
    /// the next message before it sleeps, if the last ones came as fast as that. If they did not, it
    /// tries now and then whether they do, for five times as long: ever more rarely, at last once in
    /// 4,096 times. Default 20 µs, what a sleep and its end cost; zero always sleeps, as do cores that
    /// their owner drives, and all on a machine with one CPU.
    pub spin_max: Duration,
}

/// How long stopping may take before what is left is leaked instead of freed (OWN-2).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StopLimits {
    /// For clean-up tasks, such as aborting an upload. Default 5 s.
    pub cleanup: Duration,
    /// For the kernel to give the last buffers back after everything was cancelled. Default 10 s.
    pub drain: Duration,
}

/// Limits of the control thread, where whatever may block runs (CORE-1).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ControlLimits {
    /// Jobs that wait. Default 1,024; one more is refused with [`crate::Error::Busy`].
    pub jobs_max: usize,
    /// How long the look-up of one name may take, the wait for the thread included. Default 15 s:
    /// the system's resolver waits 5 s for a silent nameserver (resolv.conf(5), `timeout`), and the
    /// next may still answer.
    pub resolve: Duration,
}

/// Limits of connecting to one host that has several addresses, which race as RFC 8305 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectLimits {
    /// For all attempts together. Default 10 s: a lost SYN is sent again after 1, 3 and 7 s (RFC
    /// 6298), so that a network that loses three of them still connects.
    pub total: Duration,
    /// How long an attempt goes on alone before the next one starts beside it. Default 250 ms, the
    /// recommendation of RFC 8305, section 5, which asks for 100 ms to 2 s.
    pub attempt_delay: Duration,
    /// Addresses tried; more are left out. Default 16: large services answer a name with up to eight
    /// addresses of each family. At most as many sockets are open at a time.
    pub attempts_max: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            cores: 0,
            pin_cores: false,
            pool: PoolConfig::default(),
            op: OpLimits::default(),
            driver: DriverChoice::default(),
            ring: RingLimits::default(),
            poll: PollLimits::default(),
            file: FileLimits::default(),
            core: CoreLimits::default(),
            stop: StopLimits::default(),
            control: ControlLimits::default(),
            look_up: look_up_in_system,
            report: report_to_stderr,
            #[cfg(any(test, feature = "testing"))]
            planted_bug: None,
        }
    }
}

fn look_up_in_system(name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    (name, port).to_socket_addrs().map(Iterator::collect)
}

#[expect(clippy::print_stderr, reason = "the default of a hook that the embedder may replace")]
fn report_to_stderr(message: std::fmt::Arguments<'_>) {
    eprintln!("hydrant: {message}");
}

impl Default for OpLimits {
    fn default() -> OpLimits {
        OpLimits {
            ops_in_flight_max: 1024,
            submission_bytes_max: 512 << 10,
            zero_copy_bytes_min: 16 << 10,
            transient_retries_max: 1000,
        }
    }
}

impl Default for RingLimits {
    fn default() -> RingLimits {
        RingLimits {
            submission_entries: 256,
            completion_entries: 4096,
            submit_batch: 64,
            submit_batch_files: 16,
            submit_send_bytes: 256 << 10,
            min_wait: Duration::ZERO,
            min_wait_completions: 16,
            harvests_max: 1,
            installed_files_max: 64,
            caller_entries_max: 1024,
        }
    }
}

impl Default for PollLimits {
    fn default() -> PollLimits {
        PollLimits { file_threads: 16 }
    }
}

impl Default for FileLimits {
    fn default() -> FileLimits {
        FileLimits { sequential_bytes_min: 64 << 20 }
    }
}

impl Default for CoreLimits {
    fn default() -> CoreLimits {
        CoreLimits {
            tasks_max: 16 << 10,
            polls_per_turn_max: 256,
            inbox_tasks_max: 4096,
            timers_max: 64 << 10,
            kept_futures_bytes_max: 256 << 10,
            spin_max: Duration::from_micros(20),
        }
    }
}

impl Default for StopLimits {
    fn default() -> StopLimits {
        StopLimits { cleanup: Duration::from_secs(5), drain: Duration::from_secs(10) }
    }
}

impl Default for ControlLimits {
    fn default() -> ControlLimits {
        ControlLimits { jobs_max: 1024, resolve: Duration::from_secs(15) }
    }
}

impl Default for ConnectLimits {
    fn default() -> ConnectLimits {
        ConnectLimits {
            total: Duration::from_secs(10),
            attempt_delay: Duration::from_millis(250),
            attempts_max: 16,
        }
    }
}
