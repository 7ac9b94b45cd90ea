//! Blocking calls of one thread: a block of each connection in turn, while the kernel moves the
//! bytes of the others.

use super::{Blocks, Lane, Way};
use crate::failure::Result;

pub(super) fn run(work: &Blocks, lanes: &mut [Lane]) -> Result<()> {
    while lanes.iter().any(|lane| !lane.is_over()) {
        for lane in lanes.iter_mut().filter(|lane| !lane.is_over()) {
            match work.way {
                Way::Send => send(lane)?,
                Way::Receive => receive(work, lane)?,
            }
        }
    }
    Ok(())
}

fn send(lane: &mut Lane) -> Result<()> {
    let buffer = lane.connection.buffer;
    // SAFETY: calls that block are all that is ever in flight, and none is here; the arena outlives
    // the lanes.
    unsafe {
        lane.mark();
        lane.connection.send_all(buffer.filled(buffer.len()), 0)?;
        lane.moved(Way::Send, buffer.len())?;
    }
    Ok(())
}

fn receive(work: &Blocks, lane: &mut Lane) -> Result<()> {
    let flags = if work.wait_all { libc::MSG_WAITALL } else { 0 };
    loop {
        let rest = lane.moved_bytes..lane.connection.buffer.len();
        let count = lane.connection.receive(rest, flags)?;
        // SAFETY: the receive has returned, and nothing else is in flight.
        if unsafe { lane.moved(Way::Receive, count)? } {
            return Ok(());
        }
    }
}
