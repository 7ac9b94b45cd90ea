//! What a writer handle holds: a stream that calls and requests have in turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use bytes::Bytes;
use hydrant::{ObjectMeta, Writer};

use crate::engine::Engine;
use crate::error::Failure;
use crate::guard::Entry;
use crate::handle::{self, kind};
use crate::status::{HYD_E_BUSY, HYD_E_CANCELLED, HYD_E_HANDLE};
use crate::store::Store;
use crate::writer::hyd_writer;

/// What a writer handle holds.
pub struct Stream {
    store: Arc<Store>,
    place: Mutex<Place>,
}

/// Where what writes is.
pub enum Place {
    Here(Box<State>),
    /// A request of a queue has it.
    AtWork,
    /// A request has it, and throws it away when it is done.
    Aborted,
    /// A request was cancelled, so bytes are missing.
    Torn,
    /// It was finished or aborted.
    Ended,
}

/// Looks at a lock, each a turn of the scheduler after the other, before its holder is taken for a call.
const LOCK_TRIES: u32 = 64;

/// What writes.
pub struct State {
    pub writer: Writer,
    /// How much the caller may still fill of what was lent last.
    pub reserved_bytes: usize,
}

/// A stream that a request has, one at a time. Dropped, it is put back; where the request was accepted,
/// it was cancelled, and the stream is torn. One that was aborted meanwhile is thrown away.
pub struct Taken {
    stream: Arc<Stream>,
    state: Option<Box<State>>,
    accepted: bool,
}

kind!(Stream, hyd_writer, 9, "writer");

impl Stream {
    /// A stream from its beginning.
    pub fn new(store: Arc<Store>, writer: Writer) -> Stream {
        let place = Mutex::new(Place::Here(Box::new(State { writer, reserved_bytes: 0 })));
        Stream { store, place }
    }

    /// A call has the lock as long as it lasts; a request that gives the stream back has it for a moment,
    /// which is no use of the writer.
    pub fn lock(&self) -> Result<MutexGuard<'_, Place>, Failure> {
        for _ in 0..LOCK_TRIES {
            match self.place.try_lock() {
                Ok(place) => return Ok(place),
                Err(TryLockError::Poisoned(place)) => return Ok(place.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        Err(Failure::new(HYD_E_BUSY, "another thread is using this writer"))
    }

    /// For a request; refused while somebody else has it.
    pub fn take(self: Arc<Self>) -> Result<Taken, Failure> {
        let mut place = self.lock()?;
        open(&mut place)?;
        let Place::Here(mut state) = std::mem::replace(&mut *place, Place::AtWork) else {
            unreachable!("open, a line ago")
        };
        drop(place);
        state.reserved_bytes = 0;
        Ok(Taken { stream: self, state: Some(state), accepted: false })
    }

    /// The engine beneath.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.store.engine
    }
}

impl Taken {
    /// The stream that it was taken of.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// From here on it is under way.
    pub fn accept(&mut self) {
        self.accepted = true;
    }

    /// The request that had been accepted is not carried out: nothing is missing of the stream.
    pub fn refuse(&mut self) {
        self.accepted = false;
    }

    /// Appends bytes, and with `until_sent` waits until the whole parts among them have been.
    pub async fn write(mut self, bytes: Bytes, until_sent: bool) -> Result<(), Failure> {
        let writer = &mut self.state.as_mut().expect("taken, and put back by the drop").writer;
        let fills_a_part = bytes.len() as u64 >= writer.next_part_bytes();
        let mut written = writer.write_owned(bytes).await;
        if written.is_ok() && until_sent && fills_a_part {
            written = writer.flush().await;
        }
        // Not cancelled: what failed is told by every later call.
        self.accepted = false;
        Ok(written?)
    }

    /// Completes the object.
    pub async fn finish(mut self) -> Result<ObjectMeta, Failure> {
        let state = self.state.take().expect("taken, and put back by the drop");
        let was = std::mem::replace(&mut *self.place(), Place::Ended);
        if matches!(was, Place::Aborted) {
            drop(state.writer);
            return Err(Failure::new(HYD_E_CANCELLED, "the stream was aborted meanwhile"));
        }
        Ok(state.writer.finish().await?)
    }

    /// Those who find it at work let go at once.
    fn place(&self) -> MutexGuard<'_, Place> {
        self.stream.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(state) = self.state.take() else { return };
        let mut place = self.place();
        let (next, left) = match (&*place, self.accepted) {
            (Place::Aborted, _) => (Place::Ended, Some(state)),
            (_, true) => (Place::Torn, Some(state)),
            (_, false) => (Place::Here(state), None),
        };
        *place = next;
        drop(place);
        if let Some(state) = left {
            drop(state.writer);
        }
    }
}

/// The stream of a handle, in an engine that a panic of this entry poisons.
pub fn use_writer(entry: &mut Entry, handle: *const hyd_writer) -> Result<Arc<Stream>, Failure> {
    let stream = handle::get::<Stream>(handle)?;
    entry.uses(&stream.store.engine.poison)?;
    Ok(stream)
}

/// What writes, where the stream is still written and nobody else has it.
pub fn open(place: &mut Place) -> Result<&mut State, Failure> {
    match place {
        Place::Here(state) => Ok(state),
        Place::AtWork => Err(Failure::new(HYD_E_BUSY, "a request has this writer; reap it")),
        Place::Torn => Err(torn()),
        Place::Aborted | Place::Ended => {
            Err(Failure::new(HYD_E_HANDLE, "this writer was finished or aborted before"))
        }
    }
}

/// Why a stream is not completed of which bytes are missing.
pub fn torn() -> Failure {
    Failure::new(HYD_E_CANCELLED, "a request of this stream was cancelled, so bytes are missing")
}

/// Takes a stream to be finished; `None` for one that is torn.
pub fn take(stream: &Stream) -> Result<Option<Box<State>>, Failure> {
    let mut place = stream.lock()?;
    if !matches!(*place, Place::Torn) {
        open(&mut place)?;
    }
    match std::mem::replace(&mut *place, Place::Ended) {
        Place::Here(state) => Ok(Some(state)),
        _ => Ok(None),
    }
}
