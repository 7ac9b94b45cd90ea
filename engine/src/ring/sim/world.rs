//! The world: what tests and the stepping of cores see of the simulated kernel.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::config::ns;
use super::object::Kind;
use super::state::State;
use super::{Fault, Faults, SimConfig, SimDescriptor, SimDriver};
use crate::op::{Descriptor, Handle};

/// A machine in memory: clock, disk, network and everything in flight. Clones are the same world.
///
/// It can be used from any thread, but replays only where one thread does so: the seed decides what
/// the world does, and the order of the calls is an input like any other.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

impl World {
    /// A world at time 0 with an empty disk.
    pub fn new(seed: u64, config: SimConfig) -> World {
        World(Arc::new(Mutex::new(State::new(seed, config))))
    }

    /// Virtual time since the start.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.lock().now_ns)
    }

    /// Moves the clock by `duration` and carries out, each at its time, what is due on the way.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.lock();
        let until_ns = state.now_ns.saturating_add(ns(duration));
        state.advance_to(until_ns);
    }

    /// When the next thing happens, of all cores; `None` when nothing will, unless a core does
    /// something.
    pub fn next_event(&self) -> Option<Duration> {
        self.lock().next_event_ns().map(Duration::from_nanos)
    }

    /// A number from the generator of the world, for the decisions of whoever steps the cores.
    pub fn random_u64(&self) -> u64 {
        self.lock().random.next()
    }

    /// How much later than the next event the cores are to be stepped; nothing in a calm world.
    pub fn oversleep(&self) -> Duration {
        let mut state = self.lock();
        if !state.meets(Fault::Oversleep) {
            return Duration::ZERO;
        }
        let most_ns = ns(state.config.faults.oversleep_max);
        Duration::from_nanos(state.random.below(most_ns))
    }

    /// Replaces the faults from now on, to calm a storm before a drain or to start one.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().config.faults = faults;
    }

    /// The `nth` submission from now on, counted from 1, fails, whatever it is and by whichever core: with
    /// EIO on the disk, EMFILE where a descriptor is asked for, a refusal or a reset on the network.
    pub fn fail_nth(&self, nth: u64) {
        self.lock().fails_in = nth;
    }

    /// Whether that submission has not come yet.
    pub fn is_yet_to_fail(&self) -> bool {
        self.lock().fails_in > 0
    }

    /// The power fails and comes back. The disk keeps what was synced, and may keep more; every
    /// connection is reset; what was open of the disk answers EIO from now on. Operations in
    /// flight still complete, so that cores can be drained.
    pub fn crash(&self) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.disk.crash(&mut state.random);
        state.objects.make_files_stale();
        drop(guard);
        self.reset_connections();
    }

    /// Resets every connection, as a cable or a firewall that fails does.
    pub fn reset_connections(&self) {
        let mut state = self.lock();
        for end in state.network.connections() {
            state.reset_connection(end);
        }
    }

    /// From now on nobody answers who connects to this address, as behind a firewall that drops.
    pub fn add_black_hole(&self, address: SocketAddr) {
        self.lock().network.add_black_hole(address);
    }

    /// Puts a file on the disk, with its directories, as if it had always been there; one that is there
    /// is written to now.
    ///
    /// # Errors
    /// ENOSPC, or what creating the file would answer.
    pub fn put_file(&self, path: &str, data: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        let now_ns = state.now_ns;
        state.disk.install(path, data, now_ns).map_err(io::Error::from_raw_os_error)
    }

    /// The bytes of a file as a reader would see them now; `None` if no file is there.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.lock();
        let inode = state.disk.look_up(None, path.as_bytes()).ok()?;
        state.disk.read(inode, 0, usize::MAX).ok().map(<[u8]>::to_vec)
    }

    /// What was last said of a file with posix_fadvise(2), such as `POSIX_FADV_RANDOM`.
    pub fn advice(&self, path: &str) -> Option<i32> {
        let state = self.lock();
        let inode = state.disk.look_up(None, path.as_bytes()).ok()?;
        state.advice.get(&inode).copied()
    }

    /// The paths of all files, in order, each from the root.
    pub fn paths(&self) -> Vec<String> {
        self.lock().disk.paths()
    }

    /// Descriptors that are open, to find leaks.
    pub fn open_descriptors(&self) -> usize {
        self.lock().objects.len()
    }

    /// Submissions whose last completion has not been posted.
    pub fn operations_in_flight(&self) -> usize {
        self.lock().operations_in_flight()
    }

    /// How often each kind of fault was met, in the order of [`Fault::ALL`].
    pub fn faults_met(&self) -> [u64; Fault::ALL.len()] {
        self.lock().met()
    }

    /// A hash of every completion handed out, with its time and core: equal for equal runs.
    pub fn trace(&self) -> u64 {
        self.lock().trace()
    }

    /// A driver for one core; each core has its own.
    pub(crate) fn driver(&self, core_index: usize) -> SimDriver {
        SimDriver::new(self, core_index)
    }

    /// A listener; port 0 takes a free port, which [`SimDescriptor::local_address`] tells.
    ///
    /// # Errors
    /// EADDRINUSE.
    pub(crate) fn listen(&self, address: SocketAddr) -> Result<Handle, i32> {
        let mut state = self.lock();
        let id = state.objects.insert(Kind::Listener);
        let listening = state.network.listen(id, address);
        drop(state);
        let descriptor = SimDescriptor::new(self, id);
        listening.map(|()| Handle::new(Descriptor::Sim(descriptor), 0))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that fails while the lock is held still drops its descriptors.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("World").field(&self.now()).finish()
    }
}
