//! How one read, write, receive or send becomes submissions: pure bookkeeping, no I/O.
//!
//! A large transfer runs in lanes. Each lane has one submission of at most `chunk_bytes` in flight;
//! a short result is carried on in the same lane, a finished chunk makes room for the next. O_DIRECT
//! submissions over 512 KiB go to kernel worker threads (measured on Linux 6.15 to 6.17), hence the
//! limit; sockets have one lane, because order matters there.

use std::ops::Range;

use super::planted::{Planted, PlantedBug};

/// How many submissions of one transfer are in flight at most.
pub(crate) const LANES_MAX: usize = 16;

/// Part of a transfer: `len` bytes from `start`, counted from the start of the op's span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl Span {
    /// Takes off what lies in the next piece of the whole, of `piece_len` bytes, and says where in the
    /// piece that is; the span is counted from the end of the piece afterwards.
    pub(crate) fn cut(&mut self, piece_len: usize) -> Option<Range<usize>> {
        let from = self.start.min(piece_len);
        let taken = self.len.min(piece_len - from);
        self.start -= from;
        self.len -= taken;
        (taken > 0).then(|| from..from + taken)
    }
}

/// What kind of op the bytes belong to; the rules for short and failed results differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A positional read: 0 is the end of the file; EINTR and EAGAIN are tried again.
    Read,
    /// A positional write: two results of 0 in a row are an error; EINTR is tried again.
    Write,
    /// A receive that ends with the first bytes.
    RecvSome,
    /// A receive that goes on until the span is full or the peer has closed.
    RecvFill,
    /// A send of all bytes.
    Send,
}

/// What is to be done after a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Submit this span in this lane.
    Submit(Span),
    /// The lane has nothing more to do.
    Idle,
}

/// What a transfer is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// Bytes in all.
    pub(crate) total: usize,
    /// Bytes of one submission at most.
    pub(crate) chunk: usize,
    /// What offsets of an O_DIRECT file must be multiples of, in bytes; 0 where nothing is asked.
    pub(crate) direct_align: u32,
    /// Bounds EINTR and EAGAIN for all lanes together.
    pub(crate) transient_retries_max: u32,
}

/// The state of one transfer. It stays in the slot of its op and is begun there anew with each: most
/// ops have one submission, and never look at the other lanes.
#[derive(Debug)]
pub(crate) struct Transfer {
    kind: Kind,
    total: usize,
    chunk: usize,
    direct_align: usize,
    /// Where the next chunk begins that no lane has taken yet.
    next: usize,
    /// Nothing at or after this position will be transferred: end of file, error or stop.
    end: usize,
    error: Option<i32>,
    retries_left: u32,
    live: u16,
    shorts: u32,
    planted: Planted,
    lanes: [Lane; LANES_MAX],
}

#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    at: usize,
    len: usize,
    zero_seen: bool,
}

impl Transfer {
    /// One that has nothing to do.
    pub(crate) fn idle() -> Transfer {
        Transfer {
            kind: Kind::Send,
            total: 0,
            chunk: 1,
            direct_align: 0,
            next: 0,
            end: 0,
            error: None,
            retries_left: 0,
            live: 0,
            shorts: 0,
            planted: Planted::default(),
            lanes: [Lane::default(); LANES_MAX],
        }
    }

    /// Begins anew. The lanes keep what they hold: each is filled before it is looked at.
    pub(crate) fn begin(&mut self, plan: Plan, planted: Planted) {
        debug_assert!(self.finished(), "a lane waits for a result that will not come");
        self.kind = plan.kind;
        self.total = plan.total;
        self.chunk = plan.chunk.max(1);
        self.direct_align = plan.direct_align as usize;
        self.next = 0;
        self.end = plan.total;
        self.error = None;
        self.retries_left = plan.transient_retries_max;
        self.shorts = 0;
        self.planted = planted;
    }

    /// Starts as many lanes as there is work and room for; `submit` is told lane and span.
    pub(crate) fn start(&mut self, mut submit: impl FnMut(usize, Span)) {
        let lanes = if self.positional() { LANES_MAX } else { 1 };
        for lane in 0..lanes {
            match self.take_chunk(lane) {
                Next::Submit(span) => submit(lane, span),
                Next::Idle if self.total == 0 && lane == 0 => {
                    // An empty receive or send still goes to the kernel once, for its error.
                    self.live |= 1;
                    self.lanes[0] = Lane::default();
                    submit(0, Span { start: 0, len: 0 });
                    return;
                }
                Next::Idle => return,
            }
        }
    }

    /// Takes in the result of `lane`: a count of bytes, or a negated errno.
    pub(crate) fn on_result(&mut self, lane: usize, result: i32) -> Next {
        debug_assert!(self.live & (1 << lane) != 0, "a result for a lane that is not in flight");
        match usize::try_from(result) {
            Ok(bytes) => self.on_bytes(lane, bytes),
            Err(_) => self.on_error(lane, -result),
        }
    }

    /// No lane starts anything new; what is in flight is still waited for.
    pub(crate) fn stop(&mut self) {
        self.end = self.end.min(self.next);
        self.next = self.total;
        self.retries_left = 0;
        self.kind = match self.kind {
            Kind::RecvFill => Kind::RecvSome,
            kind => kind,
        };
        self.chunk = 0;
    }

    /// Whether nothing is in flight and nothing is left to start.
    pub(crate) fn finished(&self) -> bool {
        self.live == 0
    }

    /// How many bytes from the start were transferred without a gap.
    pub(crate) fn transferred(&self) -> usize {
        self.end.min(self.total)
    }

    /// The lanes that have a submission in flight.
    pub(crate) fn live_lanes(&self) -> impl Iterator<Item = usize> + use<> {
        let live = self.live;
        (0..LANES_MAX).filter(move |lane| live & (1 << lane) != 0)
    }

    /// Results that were carried on because they fell short.
    pub(crate) fn shorts(&self) -> u32 {
        self.shorts
    }

    pub(crate) fn error(&self) -> Option<i32> {
        self.error
    }

    fn positional(&self) -> bool {
        matches!(self.kind, Kind::Read | Kind::Write)
    }

    fn stopped(&self) -> bool {
        self.chunk == 0
    }

    fn take_chunk(&mut self, lane: usize) -> Next {
        let bound = self.end.min(self.total);
        if self.stopped() || self.next >= bound {
            return Next::Idle;
        }
        let len = self.chunk.min(bound - self.next);
        let span = Span { start: self.next, len };
        self.lanes[lane] = Lane { at: self.next, len, zero_seen: false };
        self.next += len;
        self.live |= 1 << lane;
        Next::Submit(span)
    }

    fn on_bytes(&mut self, lane: usize, bytes: usize) -> Next {
        let state = &mut self.lanes[lane];
        let bytes = self.planted.counted(self.kind, bytes.min(state.len), state.len);
        state.at += bytes;
        state.len -= bytes;
        let (at, left) = (state.at, state.len);
        if left == 0 {
            return self.next_chunk(lane);
        }
        let at_end = match self.kind {
            Kind::Read => bytes == 0 || self.is_direct_tail(at),
            Kind::RecvFill => bytes == 0,
            Kind::RecvSome => true,
            Kind::Write | Kind::Send if bytes == 0 => {
                if std::mem::replace(&mut state.zero_seen, true) {
                    self.fail(at, libc::EIO);
                    true
                } else {
                    false
                }
            }
            Kind::Write | Kind::Send => {
                state.zero_seen = false;
                false
            }
        };
        if at_end || self.stopped() {
            self.end = self.end.min(at);
            return self.rest(lane);
        }
        self.shorts += 1;
        let misplaced = if self.planted.has(PlantedBug::RestMisplaced) { bytes } else { 0 };
        Next::Submit(Span { start: at - misplaced, len: left })
    }

    fn on_error(&mut self, lane: usize, errno: i32) -> Next {
        let Lane { at, len, .. } = self.lanes[lane];
        let transient = match self.kind {
            Kind::Write => errno == libc::EINTR,
            _ => errno == libc::EINTR || errno == libc::EAGAIN,
        };
        let fatal = self.planted.has(PlantedBug::TransientIsFatal);
        if transient && !fatal && self.retries_left > 0 && !self.stopped() {
            self.retries_left -= 1;
            return Next::Submit(Span { start: at, len });
        }
        // A cancel that came too late to meet the op, which would have been tried again without it.
        let errno = if transient && self.stopped() { libc::ECANCELED } else { errno };
        self.fail(at, errno);
        self.rest(lane)
    }

    /// Of several errors the one nearest the start counts: what lies before it was transferred.
    fn fail(&mut self, at: usize, errno: i32) {
        let swallowed = self.planted.has(PlantedBug::ErrorSwallowed);
        if !swallowed && (self.error.is_none() || at < self.end) {
            self.error = Some(errno);
        }
        self.end = self.end.min(at);
    }

    fn next_chunk(&mut self, lane: usize) -> Next {
        self.live &= !(1 << lane);
        self.take_chunk(lane)
    }

    fn rest(&mut self, lane: usize) -> Next {
        self.live &= !(1 << lane);
        Next::Idle
    }

    /// A direct read that stops off the alignment has met the end of the file, and going on from
    /// there would be refused with EINVAL.
    fn is_direct_tail(&self, at: usize) -> bool {
        self.direct_align != 0 && !at.is_multiple_of(self.direct_align)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn transfer(
        kind: Kind,
        total: usize,
        chunk: usize,
        direct_align: u32,
        transient_retries_max: u32,
    ) -> Transfer {
        let mut transfer = Transfer::idle();
        let plan = Plan { kind, total, chunk, direct_align, transient_retries_max };
        transfer.begin(plan, Planted::default());
        transfer
    }

    fn run(transfer: &mut Transfer, mut kernel: impl FnMut(Span) -> i32) -> Vec<Span> {
        let mut queue = Vec::new();
        let mut seen = Vec::new();
        transfer.start(|lane, span| queue.push((lane, span)));
        while let Some((lane, span)) = queue.pop() {
            seen.push(span);
            if let Next::Submit(span) = transfer.on_result(lane, kernel(span)) {
                queue.push((lane, span));
            }
        }
        assert!(transfer.finished());
        seen
    }

    #[test]
    fn a_large_read_is_cut_into_chunks_that_tile_it() {
        let mut transfer = transfer(Kind::Read, 10_000_000, 512 << 10, 4096, 0);
        let mut seen = run(&mut transfer, |span| span.len as i32);
        seen.sort_by_key(|span| span.start);
        assert!(seen.iter().all(|span| span.len <= 512 << 10));
        assert_eq!(seen.iter().map(|span| span.len).sum::<usize>(), 10_000_000);
        assert_eq!(transfer.transferred(), 10_000_000);
    }

    #[test]
    fn a_direct_read_ends_at_an_unaligned_short_result() {
        let mut transfer = transfer(Kind::Read, 8192, 8192, 512, 0);
        let seen = run(&mut transfer, |_| 1000);
        assert_eq!(seen.len(), 1);
        assert_eq!((transfer.transferred(), transfer.error()), (1000, None));
    }

    #[test]
    fn the_error_nearest_the_start_bounds_the_count() {
        let mut transfer = transfer(Kind::Read, 40, 10, 0, 0);
        run(&mut transfer, |span| match span.start {
            10 => -libc::EIO,
            30 => -libc::ENOSPC,
            _ => span.len as i32,
        });
        assert_eq!((transfer.transferred(), transfer.error()), (10, Some(libc::EIO)));
    }

    #[test]
    fn eagain_is_tried_again_on_reads_and_not_on_writes() {
        for (kind, want) in [(Kind::Read, None), (Kind::Write, Some(libc::EAGAIN))] {
            let mut first = true;
            let mut transfer = transfer(kind, 10, 10, 0, 3);
            run(&mut transfer, |span| {
                if std::mem::take(&mut first) { -libc::EAGAIN } else { span.len as i32 }
            });
            assert_eq!(transfer.error(), want);
        }
    }

    #[test]
    fn a_write_that_writes_nothing_twice_fails() {
        let mut transfer = transfer(Kind::Write, 10, 10, 0, 3);
        run(&mut transfer, |_| 0);
        assert_eq!((transfer.transferred(), transfer.error()), (0, Some(libc::EIO)));
    }

    #[test]
    fn after_stop_nothing_new_is_started() {
        let mut transfer = transfer(Kind::RecvFill, 100, 100, 0, 3);
        let mut queue = Vec::new();
        transfer.start(|lane, span| queue.push((lane, span)));
        transfer.stop();
        assert_eq!(transfer.on_result(0, 40), Next::Idle);
        assert_eq!((transfer.transferred(), transfer.finished()), (40, true));
    }

    proptest! {
        /// Whatever the kernel does with each submission, the prefix that is reported was moved
        /// whole, and a run without errors and without an end moves everything.
        #[test]
        fn the_reported_prefix_was_moved(
            total in 0usize..5000,
            chunk in 1usize..700,
            write in any::<bool>(),
            eof in proptest::option::of(0usize..5000),
            script in proptest::collection::vec(0u8..=9, 1..200),
        ) {
            let kind = if write { Kind::Write } else { Kind::Read };
            let eof = if write { None } else { eof };
            let mut moved = vec![false; total];
            let mut failed = false;
            let mut zero = false;
            let mut step = 0;
            let mut transfer = transfer(kind, total, chunk, 0, 1000);
            run(&mut transfer, |span| {
                step += 1;
                match script[step % script.len()] {
                    0 => -libc::EINTR,
                    1 if step.is_multiple_of(7) => { failed = true; -libc::EIO }
                    choice => {
                        let bound = eof.unwrap_or(total).min(total);
                        let most = span.len.min(bound.saturating_sub(span.start));
                        let bytes = if choice < 5 && most > 0 { most.div_ceil(2) } else { most };
                        if bytes == 0 && span.len > 0 { zero = true; }
                        moved[span.start..span.start + bytes].fill(true);
                        bytes as i32
                    }
                }
            });
            let done = transfer.transferred();
            prop_assert!(moved[..done].iter().all(|byte| *byte));
            if !failed && transfer.error().is_none() && !zero {
                prop_assert_eq!(done, total);
            }
            if let (Some(eof), false, None) = (eof, failed, transfer.error()) {
                prop_assert_eq!(done, eof.min(total));
            }
        }
    }
}
