//! What an engine has counted: a struct, and OpenMetrics text of the same numbers.

use std::ffi::c_char;
use std::fmt::Write;

use crate::args::TextOut;
use crate::engine::{Engine, hyd_engine, use_engine};
use crate::error::{ErrorOut, hyd_error};
use crate::guard;
use crate::sized::{self, SizedOut, SizedStruct};
use crate::status::hyd_status;

/// What an engine counted since its start, and its pool now. Each number is exact; together they are
/// no consistent cut.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hyd_stats {
    /// Set by the caller.
    pub struct_size: u32,
    /// Threads with a ring each.
    pub cores: u32,
    /// Calls of io_uring_enter(2), or epoll_wait(2).
    pub enters: u64,
    /// Entries put into submission queues.
    pub submissions: u64,
    /// File bytes through registered buffers.
    pub file_bytes_registered: u64,
    /// File bytes through other memory.
    pub file_bytes_unregistered: u64,
    /// Bytes received from sockets.
    pub bytes_received: u64,
    /// Bytes sent to sockets.
    pub bytes_sent: u64,
    /// Of those, bytes handed to sends without a copy.
    pub bytes_sent_zero_copy: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// Payload bytes copied in user space, for whatever reason.
    pub bytes_copied: u64,
    /// Requests for memory of the pool that had to wait.
    pub pool_waits: u64,
    /// Bytes of the pool.
    pub pool_bytes: u64,
    /// Bytes of the pool that somebody has.
    pub pool_bytes_lent: u64,
    /// Requests that wait for memory of the pool.
    pub pool_waiting: u64,
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_stats {
    const NAME: &'static str = "hyd_stats";
    const BYTES_MIN: usize = 112;
}

impl hyd_stats {
    fn of(engine: &Engine) -> hyd_stats {
        let engine = engine.hydrant.engine();
        let (counted, pool) = (engine.metrics(), engine.pool().stats());
        hyd_stats {
            struct_size: sized::size_of::<hyd_stats>(),
            cores: engine.cores() as u32,
            enters: counted.enters,
            submissions: counted.submissions,
            file_bytes_registered: counted.file_bytes_registered,
            file_bytes_unregistered: counted.file_bytes_unregistered,
            bytes_received: counted.bytes_received,
            bytes_sent: counted.bytes_sent,
            bytes_sent_zero_copy: counted.bytes_sent_zero_copy,
            connections_opened: counted.connections_opened,
            bytes_copied: counted.copied_bytes(),
            pool_waits: counted.pool_waits,
            pool_bytes: pool.total_bytes as u64,
            pool_bytes_lent: pool.lent_bytes as u64,
            pool_waiting: pool.waiting_tickets as u64,
        }
    }

    /// The text format of openmetrics.io, version 1.0: a counter's sample ends with `_total`.
    fn open_metrics(&self) -> String {
        let counters = [
            ("enters", "Calls into the kernel to submit and to wait", self.enters),
            ("submissions", "Entries put into submission queues", self.submissions),
            (
                "file_registered_bytes",
                "File bytes through registered buffers",
                self.file_bytes_registered,
            ),
            (
                "file_unregistered_bytes",
                "File bytes through other memory",
                self.file_bytes_unregistered,
            ),
            ("received_bytes", "Bytes received from sockets", self.bytes_received),
            ("sent_bytes", "Bytes sent to sockets", self.bytes_sent),
            ("sent_zero_copy_bytes", "Bytes sent without a copy", self.bytes_sent_zero_copy),
            ("connections_opened", "Connections opened", self.connections_opened),
            ("copied_bytes", "Payload bytes copied in user space", self.bytes_copied),
            ("pool_waits", "Requests for memory that had to wait", self.pool_waits),
        ];
        let gauges = [
            ("cores", "Threads with a ring each", u64::from(self.cores)),
            ("pool_bytes", "Bytes of the pool", self.pool_bytes),
            ("pool_lent_bytes", "Bytes of the pool that somebody has", self.pool_bytes_lent),
            ("pool_waiting", "Requests that wait for memory", self.pool_waiting),
        ];
        let mut text = String::new();
        let mut family = |name: &str, about: &str, kind: &str, ending: &str, value: u64| {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "# TYPE hydrant_{name} {kind}\n# HELP hydrant_{name} {about}.\nhydrant_{name}{ending} \
                 {value}"
            );
        };
        counters.iter().for_each(|(name, about, value)| {
            family(name, about, "counter", "_total", *value);
        });
        gauges.iter().for_each(|(name, about, value)| family(name, about, "gauge", "", *value));
        text + "# EOF\n"
    }
}

/// Fills `stats`. Nothing waits for it.
///
/// Errors: HYD_E_INVALID, HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_stats(
    engine: *const hyd_engine,
    stats: *mut hyd_stats,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends `*stats` for the time of the call.
        let stats = unsafe { SizedOut::new(stats, "stats")? };
        stats.write(hyd_stats::of(&engine));
        Ok(())
    })
}

/// The same numbers as OpenMetrics text, to be served to a collector as it is. `need`, `capacity` and
/// the errors are as at hyd_engine_report(); numbers that grow between two calls may need a byte more.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_engine_metrics(
    engine: *const hyd_engine,
    text: *mut c_char,
    capacity: usize,
    need: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let out = unsafe { TextOut::new(text, capacity, need)? };
        out.write(&hyd_stats::of(&engine).open_metrics())
    })
}
