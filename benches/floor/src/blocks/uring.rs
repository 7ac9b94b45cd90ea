//! One `io_uring` with one operation in flight for each connection.

use io_uring::{opcode, types};

use super::{Blocks, Lane, Way};
use crate::failure::{Failure, Result};
use crate::ring::Ring;

/// `Ok` says that nothing is in flight any more.
pub(super) fn run(work: &Blocks, lanes: &mut [Lane]) -> Result<()> {
    let mut ring = Ring::new(u32::try_from(lanes.len()).unwrap_or(u32::MAX))?;
    for (slot, lane) in lanes.iter().enumerate() {
        push_next(work, lane, slot, &mut ring)?;
    }
    let (mut running, mut completions) = (lanes.len(), Vec::new());
    while running > 0 {
        ring.turn(&mut completions)?;
        for completion in completions.drain(..) {
            let (slot, result) = (completion.user_data() as usize, completion.result());
            if result < 0 {
                return Err(Failure::completion("io_uring send or recv", result));
            }
            let lane = &mut lanes[slot];
            // SAFETY: the lane's one operation has completed.
            unsafe { lane.moved(work.way, result.unsigned_abs() as usize)? };
            match lane.is_over() {
                true => running -= 1,
                false => push_next(work, lane, slot, &mut ring)?,
            }
        }
    }
    Ok(())
}

/// The rest of the block under way, or the next one.
fn push_next(work: &Blocks, lane: &Lane, slot: usize, ring: &mut Ring) -> Result<()> {
    let socket = types::Fd(lane.connection.descriptor());
    let (from, buffer) = (lane.moved_bytes, lane.connection.buffer);
    let bytes = u32::try_from(buffer.len() - from).expect("a block is under 4 GiB");
    let entry = match work.way {
        Way::Send => {
            if from == 0 {
                // SAFETY: nothing of this lane is in flight.
                unsafe { lane.mark() };
            }
            opcode::Send::new(socket, buffer.at(from), bytes)
                .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
                .build()
        }
        Way::Receive => {
            let flags = if work.wait_all { libc::MSG_WAITALL } else { 0 };
            opcode::Recv::new(socket, buffer.at(from), bytes).flags(flags).build()
        }
    };
    // SAFETY: the buffer is this lane's alone and nothing else of it is in flight. A run that fails
    // midway leaks lanes and arena (OWN-2).
    unsafe { ring.push(&entry.user_data(slot as u64)) }
}
