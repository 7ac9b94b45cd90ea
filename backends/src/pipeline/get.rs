//! An object as a stream of pieces: in order, or each as soon as it is there.
//!
//! A part lies in its lease from the socket to the caller, who gets it as `Bytes` and gives the
//! memory back by dropping it.

use std::future::Future;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use hydrant_engine::{Engine, Task};

use super::board::Board;
use super::fetch::{Order, State, Worker};
use super::limits::TransferLimits;
use crate::condition::ReadOptions;
use crate::error::Result;
use crate::object::ObjectMeta;
use crate::store::Reader;

/// What is read of an object, and how.
#[derive(Debug, Clone, Default)]
pub struct GetOptions {
    /// Only these bytes; the end is cut at the object's. `None` is the whole object.
    pub range: Option<Range<u64>>,
    /// Bytes of a part instead of the default.
    pub part_size_bytes: Option<u64>,
    /// Parts under way at once instead of the default.
    pub connections: Option<usize>,
    /// Which object it is.
    pub read: ReadOptions,
}

/// Some bytes of an object, and where they lie in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Offset of the first byte in the object.
    pub offset: u64,
    /// The bytes, in memory of the pool: dropping them gives it back.
    pub bytes: Bytes,
}

/// An object on its way, as pieces in order. Dropping it ends the transfer.
///
/// A consumer that is slow holds little memory: the stream reads as far ahead as the consumer's pace
/// asks for, and leaves the sockets alone while it waits for him.
#[derive(Debug)]
pub struct GetStream(PieceStream);

/// An object on its way, as pieces that come when they are there. Dropping it ends the transfer.
#[derive(Debug)]
pub struct PieceStream {
    board: Arc<Board<State>>,
    reader: Arc<dyn Reader>,
    coordinator: Task<()>,
    ended: bool,
}

/// Starts a stream in order. `object` names it in messages.
pub(crate) fn start(
    engine: &Engine,
    reader: Arc<dyn Reader>,
    object: String,
    range: Option<Range<u64>>,
    limits: TransferLimits,
) -> Result<GetStream> {
    start_with(engine, reader, object, range, limits, Order::OfTheObject).map(GetStream)
}

/// Starts a stream of pieces that come when they are there.
pub(crate) fn start_pieces(
    engine: &Engine,
    reader: Arc<dyn Reader>,
    object: String,
    range: Option<Range<u64>>,
    limits: TransferLimits,
) -> Result<PieceStream> {
    start_with(engine, reader, object, range, limits, Order::OfArrival)
}

fn start_with(
    engine: &Engine,
    reader: Arc<dyn Reader>,
    object: String,
    range: Option<Range<u64>>,
    limits: TransferLimits,
    order: Order,
) -> Result<PieceStream> {
    let board = Arc::new(Board::new(State::new(engine, range, limits, order)?));
    let worker = Worker { board: Arc::clone(&board), reader: Arc::clone(&reader), object };
    let coordinator =
        engine.on_any_core(move |core| async move { worker.coordinate(&core, limits).await })?;
    Ok(PieceStream { board, reader, coordinator, ended: false })
}

impl GetStream {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The first failure of any part; the stream is over then.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        Some(self.0.next().await?.map(|piece| piece.bytes))
    }

    /// The same, blocking this thread.
    ///
    /// # Errors
    /// As [`GetStream::next`]; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn next_wait(&mut self) -> Option<Result<Bytes>> {
        Some(self.0.next_wait()?.map(|piece| piece.bytes))
    }

    /// What is known of the object, once the first piece is there or the end was reached.
    pub fn meta(&self) -> Option<ObjectMeta> {
        self.0.meta()
    }
}

impl PieceStream {
    /// The next piece; `None` at the end. Together the pieces are what was asked for, each byte
    /// once.
    ///
    /// # Errors
    /// The first failure of any part; the stream is over then.
    pub async fn next(&mut self) -> Option<Result<Piece>> {
        if self.ended {
            return None;
        }
        let next = self.wait_next().await.transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }

    /// The same, blocking this thread.
    ///
    /// # Errors
    /// As [`PieceStream::next`]; [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn next_wait(&mut self) -> Option<Result<Piece>> {
        match hydrant_engine::block_on(self.next()) {
            Ok(next) => next,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// What is known of the object, once the first piece is there or the end was reached.
    pub fn meta(&self) -> Option<ObjectMeta> {
        self.reader.meta()
    }

    /// A coordinator that ended without a word, by a panic or a stop, ends the stream as well.
    async fn wait_next(&mut self) -> Result<Option<Piece>> {
        let mut wait = pin!(self.board.wait(State::next));
        let mut coordinator = Pin::new(&mut self.coordinator);
        let mut coordinated = false;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(next) = wait.as_mut().poll(cx) {
                return Poll::Ready(next);
            }
            if !coordinated && let Poll::Ready(ended) = coordinator.as_mut().poll(cx) {
                coordinated = true;
                if let Err(error) = ended {
                    return Poll::Ready(Err(error.into()));
                }
            }
            Poll::Pending
        })
        .await
    }
}
