//! Reading an object from a server that ignores ranges: one answer, taken piece by piece.
//!
//! A task holds the connection and gives each read its bytes as they come by. Whoever asks for bytes
//! that have gone by makes it ask for the object anew, and drop what lies before; so reads in order
//! cost one request, and others are right but dear. Pipelines ask in order
//! ([`Reader::is_in_order`](crate::Reader::is_in_order)).

use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hydrant_engine::{Buf, Core, Task};

use super::attempts::{Attempts, Failed};
use super::hosts::Hosts;
use super::per_core::PerCore;
use super::reader::{Extent, S3Reader};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::{Connection, HttpError};
use crate::pipeline::Board;
use crate::store::{PartRead, ReadInfo};

/// The one answer, and who reads it. Dropping it ends the transfer.
#[derive(Debug)]
pub(crate) struct InOrder {
    board: Arc<Board<Line>>,
    serving: Mutex<Option<Task<()>>>,
}

/// Reads that wait for their bytes, and those that have them. There are as many as the callers have
/// under way, each with memory of its own.
#[derive(Debug, Default)]
struct Line {
    next: u64,
    wanted: Vec<Wanted>,
    /// In the hands of the server's task.
    being_read: Option<u64>,
    done: Vec<(u64, PartRead)>,
}

#[derive(Debug)]
struct Wanted {
    number: u64,
    offset: u64,
    buf: Buf,
    span: Range<usize>,
}

/// Takes a read out of the line when its future ends, in whatever way.
struct InLine<'a> {
    board: &'a Board<Line>,
    number: u64,
}

impl InOrder {
    /// Nothing is asked for before the first read.
    pub(crate) fn new(core: &Core, reader: &Arc<S3Reader>) -> Result<InOrder> {
        let board = Arc::new(Board::new(Line::default()));
        let (line, reader) = (Arc::clone(&board), Arc::clone(reader));
        let serving = core.engine().on_core(core.index(), move |core| async move {
            line.run(serve(&core, &reader, &line)).await;
        })?;
        Ok(InOrder { board, serving: Mutex::new(Some(serving)) })
    }

    /// As [`Reader::read`](crate::Reader::read).
    pub(crate) async fn read(&self, offset: u64, buf: Buf, span: Range<usize>) -> PartRead {
        let number = self.board.change(|line| line.ask(offset, buf, span));
        let in_line = InLine { board: &self.board, number };
        match self.board.wait(|line| line.take_done(number)).await {
            Ok(read) => read,
            Err(error) => {
                let back = in_line.board.look(|line| line.take_back(number));
                PartRead { buf: back.unwrap_or_else(|| Bytes::new().into()), result: Err(error) }
            }
        }
    }
}

impl Drop for InOrder {
    fn drop(&mut self) {
        // Ends the task, and with it the connection.
        drop(self.serving.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.board.look(|line| line.forget(self.number));
    }
}

impl Line {
    fn ask(&mut self, offset: u64, buf: Buf, span: Range<usize>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.wanted.push(Wanted { number, offset, buf, span });
        number
    }

    /// The lowest offset that is asked for.
    fn lowest(&self) -> Option<u64> {
        self.wanted.iter().map(|wanted| wanted.offset).min()
    }

    /// The read with the lowest offset.
    fn take(&mut self) -> Option<Wanted> {
        let lowest = self.lowest()?;
        let at = self.wanted.iter().position(|wanted| wanted.offset == lowest)?;
        let wanted = self.wanted.swap_remove(at);
        self.being_read = Some(wanted.number);
        Some(wanted)
    }

    /// What became of the read that was taken; where nobody waits for it any more, its memory goes.
    fn put(&mut self, number: u64, read: PartRead) {
        if self.being_read.take() == Some(number) {
            self.done.push((number, read));
        }
    }

    /// The read that was taken is to be served again.
    fn put_back(&mut self, wanted: Wanted) {
        if self.being_read.take() == Some(wanted.number) {
            self.wanted.push(wanted);
        }
    }

    fn take_done(&mut self, number: u64) -> Option<PartRead> {
        let at = self.done.iter().position(|(done, _)| *done == number)?;
        Some(self.done.swap_remove(at).1)
    }

    fn take_back(&mut self, number: u64) -> Option<Buf> {
        let at = self.wanted.iter().position(|wanted| wanted.number == number)?;
        Some(self.wanted.swap_remove(at).buf)
    }

    fn forget(&mut self, number: u64) {
        self.wanted.retain(|wanted| wanted.number != number);
        self.done.retain(|(done, _)| *done != number);
        self.being_read = self.being_read.filter(|being_read| *being_read != number);
    }
}

async fn serve(core: &Core, reader: &Arc<S3Reader>, line: &Board<Line>) -> Result<()> {
    // Connections of its own: it holds one while its readers wait for memory, and who has memory and
    // waits for a connection must not wait for this one (POOL-1).
    let shared = reader.shared();
    let most = shared.config.http.in_order_per_core_max.max(1);
    let place = Hosts::of(core, shared).first().place_in_order(most);
    let _place = place.ok_or_else(|| too_many(reader, most))?;
    let Ok(own) = shared.with(|endpoint| Ok::<_, Infallible>(endpoint.clone()));
    let own = Arc::new(own);
    loop {
        let offset = line.wait(|line| line.lowest()).await?;
        let operation = reader.rest_from(offset);
        let mut attempts = Attempts::new(core, &own, &operation)?;
        let attempt = async |per_core: &PerCore, connection: &mut Connection| {
            answer(core, reader, line, per_core, connection).await
        };
        attempts.run(attempt).await?;
    }
}

fn too_many(reader: &S3Reader, most: usize) -> Error {
    let text = format!(
        "{}: its server ignores ranges, so each object that is read holds a connection, and {most} of \
         one core do: end one of them first, or raise in_order_per_core_max",
        reader.uri()
    );
    ErrorKind::Unsupported(text).into()
}

/// Asks for the object, and serves reads with the answer until one wants what has gone by.
async fn answer(
    core: &Core,
    reader: &S3Reader,
    line: &Board<Line>,
    per_core: &PerCore,
    connection: &mut Connection,
) -> Result<(), Failed> {
    let Some(offset) = line.look(|line| line.lowest()) else { return Ok(()) };
    let told = reader.ask(core, per_core, connection, offset, Extent::Rest).await?;
    let (mut at, total) = (told.range.start, told.size_bytes);
    let mut moved = false;
    loop {
        let wanted = line.wait(Line::take).await.map_err(Failed::Final)?;
        if wanted.offset < at {
            line.change(|line| line.put_back(wanted));
            return Ok(());
        }
        let Wanted { number, offset, buf, span } = wanted;
        let end = offset.saturating_add(span.len() as u64).min(total);
        let len = end.saturating_sub(offset) as usize;
        // What lies behind the end is asked for to learn where the end is.
        let skipped = match len {
            0 => Ok(()),
            _ => connection.skip(offset - at).await,
        };
        let (received, placed, buf) = match skipped {
            Err(error) => (Err(error), 0, buf),
            Ok(()) => connection.receive_next(buf, span.start..span.start + len, 0, None).await,
        };
        let broken = match received {
            Ok(()) if placed == len => None,
            Ok(()) => Some(HttpError::Closed { stale: false }),
            Err(error) => Some(error),
        };
        if let Some(broken) = broken {
            line.change(|line| line.put_back(Wanted { number, offset, buf, span }));
            return Err(if moved { Failed::CutOff(broken) } else { Failed::Http(broken) });
        }
        if len > 0 {
            (at, moved) = (end, true);
        }
        let info = ReadInfo { len_bytes: len, object_bytes: total, sum: None };
        line.change(|line| line.put(number, PartRead { buf, result: Ok(info) }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &mut Line, offset: u64) -> u64 {
        line.ask(offset, Bytes::new().into(), 0..0)
    }

    #[test]
    fn reads_are_served_by_offset_and_forgotten_when_nobody_waits() {
        let mut line = Line::default();
        let [late, early] = [8, 4].map(|offset| ask(&mut line, offset));
        assert_eq!(line.lowest(), Some(4));
        let taken = line.take().expect("one");
        assert_eq!((taken.number, taken.offset), (early, 4));
        line.put_back(taken);
        assert_eq!(line.lowest(), Some(4), "to be served again");
        let taken = line.take().expect("one");
        line.forget(early);
        let result = Ok(ReadInfo { len_bytes: 0, object_bytes: 0, sum: None });
        line.put(taken.number, PartRead { buf: taken.buf, result });
        assert!(line.done.is_empty(), "nobody waits for it");
        assert!(line.take_back(late).is_some() && line.lowest().is_none());
    }
}
