//! The completions that one driver has not been handed yet.

use std::collections::VecDeque;

use super::random::Random;
use crate::op::{Completion, UserData};

#[derive(Debug)]
pub(super) struct Queue {
    core: usize,
    ready: VecDeque<Completion>,
    open: bool,
}

impl Queue {
    pub(super) fn new(core: usize) -> Queue {
        Queue { core, ready: VecDeque::new(), open: true }
    }

    /// Nobody will look here any more.
    pub(super) fn close(&mut self) {
        self.open = false;
        self.ready.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn post(&mut self, completion: Completion) {
        if self.open {
            self.ready.push_back(completion);
        }
    }

    /// The result of a cancel itself.
    pub(super) fn post_cancel(&mut self, result: i32) {
        let user_data = UserData::NONE;
        self.post(Completion { user_data, result, more: false, notification: None });
    }

    /// The oldest, or any of them; never a notification before a result of
    /// the same name.
    pub(super) fn take(&mut self, random: &mut Random, any: bool) -> Option<Completion> {
        let mut at = if any { random.below(self.ready.len() as u64) as usize } else { 0 };
        let picked = *self.ready.get(at)?;
        if picked.notification.is_some() {
            let is_result = |other: &Completion| {
                other.user_data == picked.user_data && other.notification.is_none()
            };
            at = self.ready.iter().take(at).position(is_result).unwrap_or(at);
        }
        self.ready.remove(at)
    }

    /// Mixes a completion into the hash of a run (FNV-1a, over words instead of bytes).
    pub(super) fn trace(&self, hash: u64, now_ns: u64, completion: &Completion) -> u64 {
        let notification = completion.notification.map_or(0, |it| 1 + u64::from(it.copied));
        let words = [
            now_ns,
            self.core as u64,
            completion.user_data.0,
            completion.result as u64,
            u64::from(completion.more),
            notification,
        ];
        words.into_iter().fold(hash, |hash, word| (hash ^ word).wrapping_mul(TRACE_PRIME))
    }
}

/// Where the hash of a run begins.
pub(super) const TRACE_START: u64 = 0xcbf2_9ce4_8422_2325;
const TRACE_PRIME: u64 = 0x0000_0100_0000_01b3;
