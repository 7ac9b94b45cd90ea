//! What an engine, or one core of it, has counted: a struct, and OpenMetrics text of the same numbers.

use std::ffi::c_char;
use std::fmt::Write;

use hydrant::engine::MetricsSnapshot;

use crate::args::TextOut;
use crate::engine::{Engine, hyd_engine, use_engine};
use crate::error::{ErrorOut, Failure, hyd_error};
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
    /// Completions taken in; a send without a copy has two.
    pub completions: u64,
    /// Completions that the kernel had to keep aside because the queue was full.
    pub overflows: u64,
    /// Bytes read from files.
    pub file_bytes_read: u64,
    /// Bytes written to files.
    pub file_bytes_written: u64,
    /// Of the bytes sent without a copy, those that the kernel said it copied after all.
    pub bytes_sent_zero_copy_copied: u64,
    /// Submissions that moved less than they were asked to, and were carried on.
    pub short_transfers: u64,
    /// Pieces of file transfers that went through another buffer because of alignment.
    pub bounces: u64,
    /// Files that were to be opened with O_DIRECT and are buffered: their file system has none.
    pub fallbacks_buffered: u64,
    /// Sends without a copy that the kernel refused, and that went on with one.
    pub fallbacks_copied_send: u64,
    /// Registrations of memory that the kernel refused; it is used unregistered.
    pub fallbacks_unregistered_memory: u64,
    /// Hints about the use of a file that were refused.
    pub hints_refused: u64,
    /// Files that were to leave nothing in the page cache and are dropped from it afterwards instead.
    pub uncached_refused: u64,
    /// Files that could not be made without a name, and had a temporary one.
    pub unnamed_refused: u64,
    /// Task polls.
    pub polls: u64,
    /// Wake-ups from other threads while a core slept.
    pub wakes: u64,
    /// Times that a core looked out for work from another thread instead of sleeping.
    pub looks: u64,
    /// Of those, times that none came.
    pub looks_in_vain: u64,
    /// Of the payload bytes copied: those that came together with a response head.
    pub bytes_copied_residue: u64,
    /// Those that the caller lent for a call alone.
    pub bytes_copied_borrowed: u64,
    /// Those that had to go through another buffer.
    pub bytes_copied_bounce: u64,
    /// Those moved from a record of TLS to their place.
    pub bytes_copied_tls: u64,
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_stats {
    const NAME: &'static str = "hyd_stats";
    const BYTES_MIN: usize = 112;
}

impl hyd_stats {
    fn of(engine: &Engine) -> hyd_stats {
        let engine = engine.hydrant.engine();
        let pool = engine.pool().stats();
        hyd_stats {
            cores: engine.cores() as u32,
            pool_bytes: pool.total_bytes as u64,
            pool_bytes_lent: pool.lent_bytes as u64,
            pool_waiting: pool.waiting_tickets as u64,
            ..hyd_stats::counted(&engine.metrics())
        }
    }

    /// One core, and nothing of the pool, which all share.
    fn of_core(engine: &Engine, core: u32) -> Result<hyd_stats, Failure> {
        let engine = engine.hydrant.engine();
        let counted = engine.counters().of_core(core as usize).ok_or_else(|| {
            Failure::invalid(format!("core: {core}, and the engine has {}", engine.cores()))
        })?;
        Ok(hyd_stats { cores: 1, ..hyd_stats::counted(&counted) })
    }

    fn counted(counted: &MetricsSnapshot) -> hyd_stats {
        hyd_stats {
            struct_size: sized::size_of::<hyd_stats>(),
            cores: 0,
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
            pool_bytes: 0,
            pool_bytes_lent: 0,
            pool_waiting: 0,
            completions: counted.completions,
            overflows: counted.overflows,
            file_bytes_read: counted.file_bytes_read,
            file_bytes_written: counted.file_bytes_written,
            bytes_sent_zero_copy_copied: counted.bytes_sent_zero_copy_copied,
            short_transfers: counted.short_transfers,
            bounces: counted.bounces,
            fallbacks_buffered: counted.fallbacks_buffered,
            fallbacks_copied_send: counted.fallbacks_copied_send,
            fallbacks_unregistered_memory: counted.fallbacks_unregistered_memory,
            hints_refused: counted.hints_refused,
            uncached_refused: counted.uncached_refused,
            unnamed_refused: counted.unnamed_refused,
            polls: counted.polls,
            wakes: counted.wakes,
            looks: counted.looks,
            looks_in_vain: counted.looks_in_vain,
            bytes_copied_residue: counted.copied_residue,
            bytes_copied_borrowed: counted.copied_borrowed,
            bytes_copied_bounce: counted.copied_bounce,
            bytes_copied_tls: counted.copied_tls,
        }
    }

    /// The text format of openmetrics.io, version 1.0: a counter's sample ends with `_total`.
    fn open_metrics(&self) -> String {
        let counters = [
            ("enters", "Calls into the kernel to submit and to wait", self.enters),
            ("submissions", "Entries put into submission queues", self.submissions),
            ("completions", "Completions taken in", self.completions),
            ("overflows", "Completions that the kernel kept aside", self.overflows),
            ("file_read_bytes", "Bytes read from files", self.file_bytes_read),
            ("file_written_bytes", "Bytes written to files", self.file_bytes_written),
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
            (
                "sent_zero_copy_copied_bytes",
                "Bytes sent without a copy that the kernel copied all the same",
                self.bytes_sent_zero_copy_copied,
            ),
            ("short_transfers", "Submissions that moved less than asked", self.short_transfers),
            ("bounces", "Pieces of file transfers through another buffer", self.bounces),
            ("buffered_fallbacks", "Files without O_DIRECT", self.fallbacks_buffered),
            ("copied_send_fallbacks", "Sends with a copy after all", self.fallbacks_copied_send),
            (
                "unregistered_memory_fallbacks",
                "Registrations of memory that were refused",
                self.fallbacks_unregistered_memory,
            ),
            ("hints_refused", "Hints about files that were refused", self.hints_refused),
            ("uncached_refused", "Files dropped from the page cache late", self.uncached_refused),
            ("unnamed_refused", "New files that needed a name", self.unnamed_refused),
            ("connections_opened", "Connections opened", self.connections_opened),
            ("copied_bytes", "Payload bytes copied in user space", self.bytes_copied),
            (
                "copied_residue_bytes",
                "Payload bytes copied that came with a head",
                self.bytes_copied_residue,
            ),
            (
                "copied_borrowed_bytes",
                "Payload bytes copied that were lent for a call",
                self.bytes_copied_borrowed,
            ),
            (
                "copied_bounce_bytes",
                "Payload bytes copied through another buffer",
                self.bytes_copied_bounce,
            ),
            (
                "copied_tls_bytes",
                "Payload bytes copied out of records of TLS",
                self.bytes_copied_tls,
            ),
            ("pool_waits", "Requests for memory that had to wait", self.pool_waits),
            ("polls", "Task polls", self.polls),
            ("wakes", "Wake-ups of sleeping cores by other threads", self.wakes),
            ("looks", "Looks for work in place of a sleep", self.looks),
            ("looks_in_vain", "Looks for work that found none", self.looks_in_vain),
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

/// The same of one core, from 0. `cores` is 1; `pool_bytes`, `pool_bytes_lent` and `pool_waiting` are 0, as
/// they are the engine's. What threads that are no core copy is in none of them.
///
/// Errors: HYD_E_INVALID, also where the engine has no such core; HYD_E_HANDLE, HYD_E_FORKED.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_core_stats(
    engine: *const hyd_engine,
    core: u32,
    stats: *mut hyd_stats,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        // SAFETY: OWN-3. The caller lends `*stats` for the time of the call.
        let stats = unsafe { SizedOut::new(stats, "stats")? };
        stats.write(hyd_stats::of_core(&engine, core)?);
        Ok(())
    })
}

/// The numbers of the engine as OpenMetrics text, to be served to a collector as it is. `need`,
/// `capacity` and the errors are as at hyd_engine_report(); numbers that grow between two calls may need a
/// byte more.
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
