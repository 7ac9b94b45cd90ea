//! `hyd_engine_limits`: what a core and its ring may have, for those who measure.

use hydrant::engine::Config;

use crate::error::Failure;
use crate::sized::{self, SizedStruct};

/// A field of hyd_engine_limits that says so: none, where 0 would be the default.
pub const HYD_LIMIT_NONE: u32 = u32::MAX;

/// Entries of a submission queue at most, which is the kernel's own limit.
const SUBMISSION_ENTRIES_MAX: u32 = 32 << 10;
/// The same of a completion queue.
const COMPLETION_ENTRIES_MAX: u32 = 64 << 10;
/// Whatever else is counted, at most: a number that is a mistake, such as -1, asks for gigabytes of places.
const COUNT_MAX: u32 = 1 << 20;
/// Bytes of one submission at most, or kept by one core.
const BYTES_MAX: u32 = 1 << 30;

/// What a core and its ring may have; 0 is the default everywhere, which suits what was measured. Counts go up to
/// 1,048,576, bytes to 1 GiB.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hyd_engine_limits {
    /// Set by the caller.
    pub struct_size: u32,
    /// Ops of a core in flight, up to 65,535; one more waits. 0: 1,024.
    pub ops_in_flight: u32,
    /// Bytes of one submission for a file. 0: 512 KiB.
    pub submission_bytes: u32,
    /// How often EINTR and EAGAIN are answered by trying again, for each op. 0: 1,000.
    pub transient_retries: u32,
    /// Entries of the submission queue, up to 32,768. 0: 256.
    pub submission_entries: u32,
    /// Entries of the completion queue, up to 65,536. 0: 4,096.
    pub completion_entries: u32,
    /// Submissions that are handed to the kernel at once, while tasks still run. 0: 64.
    pub submit_batch: u32,
    /// The same for files. 0: 16.
    pub submit_batch_files: u32,
    /// Bytes to send that are handed to the kernel while tasks still run; HYD_LIMIT_NONE waits for none.
    /// 0: 256 KiB.
    pub submit_send_bytes: u32,
    /// So many completions end a wait for `min_wait_us` of hyd_engine_config early. 0: 16.
    pub min_wait_completions: u32,
    /// How often a turn asks for completions that the kernel has put off, or HYD_LIMIT_NONE. 0: once.
    pub harvests: u32,
    /// Files that a core has installed in its ring at a time, or HYD_LIMIT_NONE. 0: 64.
    pub installed_files: u32,
    /// Entries for memory of hyd_mem_register(), each of at most 1 GiB, or HYD_LIMIT_NONE. 0: 1,024.
    pub memory_entries: u32,
    /// Who may wait in line for memory of the pool; one more is refused. 0: 4,096.
    pub pool_line: u32,
    /// From so many bytes on a file that is read to its end is told to the kernel as one. 0: 64 MiB.
    pub sequential_bytes_min: u64,
    /// Tasks of a core. 0: 16,384.
    pub tasks: u32,
    /// Tasks that go on in one turn before completions are looked at again. 0: 256.
    pub polls_per_turn: u32,
    /// Tasks of other threads that wait for a core. 0: 4,096.
    pub inbox_tasks: u32,
    /// Sleeping timers of a core. 0: 65,536.
    pub timers: u32,
    /// Bytes of ended work that a core keeps for the next, or HYD_LIMIT_NONE. 0: 256 KiB.
    pub kept_bytes: u32,
    /// Jobs that wait for the thread that may block: look-ups of names, credentials. 0: 1,024.
    pub control_jobs: u32,
}

// SAFETY: `repr(C)`, integers alone, no padding, the size first.
unsafe impl SizedStruct for hyd_engine_limits {
    const NAME: &'static str = "hyd_engine_limits";
    const BYTES_MIN: usize = 88;
}

/// Limits as C gave them; `None` for NULL.
///
/// # Safety
/// `from` is NULL, or readable as far as it says.
pub unsafe fn read(from: *const hyd_engine_limits) -> Result<Option<hyd_engine_limits>, Failure> {
    if from.is_null() {
        return Ok(None);
    }
    // SAFETY: OWN-3, by the contract of this function.
    let limits = unsafe { sized::read(from, "config->limits")? };
    limits.check()?;
    Ok(Some(limits))
}

impl hyd_engine_limits {
    fn check(&self) -> Result<(), Failure> {
        let counts = [
            ("transient_retries", self.transient_retries, COUNT_MAX),
            ("ops_in_flight", self.ops_in_flight, u16::MAX.into()),
            ("submission_bytes", self.submission_bytes, BYTES_MAX),
            ("submission_entries", self.submission_entries, SUBMISSION_ENTRIES_MAX),
            ("completion_entries", self.completion_entries, COMPLETION_ENTRIES_MAX),
            ("submit_batch", self.submit_batch, COUNT_MAX),
            ("submit_batch_files", self.submit_batch_files, COUNT_MAX),
            ("submit_send_bytes", or_none(self.submit_send_bytes), BYTES_MAX),
            ("min_wait_completions", self.min_wait_completions, COUNT_MAX),
            ("harvests", or_none(self.harvests), COUNT_MAX),
            ("installed_files", or_none(self.installed_files), COUNT_MAX),
            ("memory_entries", or_none(self.memory_entries), COUNT_MAX),
            ("pool_line", self.pool_line, COUNT_MAX),
            ("tasks", self.tasks, COUNT_MAX),
            ("polls_per_turn", self.polls_per_turn, COUNT_MAX),
            ("inbox_tasks", self.inbox_tasks, COUNT_MAX),
            ("timers", self.timers, COUNT_MAX),
            ("kept_bytes", or_none(self.kept_bytes), BYTES_MAX),
            ("control_jobs", self.control_jobs, COUNT_MAX),
        ];
        match counts.into_iter().find(|(_, asked, most)| asked > most) {
            Some((name, asked, most)) => Err(Failure::invalid(format!(
                "config->limits->{name} is {asked}, and may be {most} at most"
            ))),
            None => Ok(()),
        }
    }

    /// Sets what was asked for; 0 leaves a default alone.
    pub fn apply(&self, config: &mut Config) {
        let Config { op, ring, core, .. } = config;
        if self.ops_in_flight != 0 {
            op.ops_in_flight_max = u16::try_from(self.ops_in_flight).unwrap_or(u16::MAX);
        }
        if self.sequential_bytes_min != 0 {
            config.file.sequential_bytes_min = self.sequential_bytes_min;
        }
        let numbers = [
            (&mut op.transient_retries_max, self.transient_retries),
            (&mut ring.submission_entries, self.submission_entries),
            (&mut ring.completion_entries, self.completion_entries),
            (&mut ring.submit_batch, self.submit_batch),
            (&mut ring.submit_batch_files, self.submit_batch_files),
            (&mut ring.submit_send_bytes, self.submit_send_bytes),
            (&mut ring.min_wait_completions, self.min_wait_completions),
            (&mut ring.harvests_max, self.harvests),
            (&mut ring.installed_files_max, self.installed_files),
            (&mut ring.caller_entries_max, self.memory_entries),
        ];
        for (limit, asked) in numbers.into_iter().filter(|(_, asked)| *asked != 0) {
            *limit = or_none(asked);
        }
        let sizes = [
            (&mut op.submission_bytes_max, self.submission_bytes),
            (&mut config.pool.ticket_line_max, self.pool_line),
            (&mut core.tasks_max, self.tasks),
            (&mut core.polls_per_turn_max, self.polls_per_turn),
            (&mut core.inbox_tasks_max, self.inbox_tasks),
            (&mut core.timers_max, self.timers),
            (&mut core.kept_futures_bytes_max, self.kept_bytes),
            (&mut config.control.jobs_max, self.control_jobs),
        ];
        for (limit, asked) in sizes.into_iter().filter(|(_, asked)| *asked != 0) {
            *limit = or_none(asked) as usize;
        }
    }
}

/// What [`HYD_LIMIT_NONE`] means.
fn or_none(asked: u32) -> u32 {
    if asked == HYD_LIMIT_NONE { 0 } else { asked }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: hyd_engine_limits = hyd_engine_limits {
        struct_size: sized::size_of::<hyd_engine_limits>(),
        ops_in_flight: 0,
        submission_bytes: 0,
        transient_retries: 0,
        submission_entries: 0,
        completion_entries: 0,
        submit_batch: 0,
        submit_batch_files: 0,
        submit_send_bytes: 0,
        min_wait_completions: 0,
        harvests: 0,
        installed_files: 0,
        memory_entries: 0,
        pool_line: 0,
        sequential_bytes_min: 0,
        tasks: 0,
        polls_per_turn: 0,
        inbox_tasks: 0,
        timers: 0,
        kept_bytes: 0,
        control_jobs: 0,
    };

    /// The words of the struct, behind its size.
    const WORDS: usize = size_of::<hyd_engine_limits>() / size_of::<u32>();

    fn with(word: usize, value: u32) -> hyd_engine_limits {
        let mut limits = NOTHING;
        // SAFETY: `repr(C)`, integers alone, and `word` lies inside.
        unsafe { (&raw mut limits).cast::<u32>().add(word).write(value) };
        limits
    }

    fn shown(limits: &hyd_engine_limits) -> String {
        let mut config = Config::default();
        limits.apply(&mut config);
        format!("{config:?}")
    }

    /// Every field changes a limit of its own, and 0 none. The upper half of the one of 64 bits changes the same.
    #[test]
    fn each_field_sets_a_limit() {
        let mut seen = vec![shown(&NOTHING)];
        assert_eq!(seen[0], format!("{:?}", Config::default()));
        for word in 1..WORDS {
            let limits = with(word, 7);
            assert!(limits.check().is_ok(), "{word}");
            let changed = shown(&limits);
            assert!(!seen.contains(&changed), "{word}");
            seen.push(changed);
        }
    }

    #[test]
    fn numbers_that_are_mistakes_are_refused() {
        let refused = (1..WORDS).filter(|&word| with(word, u32::MAX - 1).check().is_err()).count();
        assert_eq!(refused, WORDS - 1 - 2, "all but the one of 64 bits");
        let none = (1..WORDS).filter(|&word| with(word, HYD_LIMIT_NONE).check().is_ok()).count();
        assert_eq!(none, 5 + 2, "those that say so, and the one of 64 bits");
        let mut config = Config::default();
        hyd_engine_limits { installed_files: HYD_LIMIT_NONE, ..NOTHING }.apply(&mut config);
        assert_eq!(config.ring.installed_files_max, 0);
    }
}
