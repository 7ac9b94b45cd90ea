//! GetObject into one buffer.

use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::Core;

use super::attempts::{Attempts, Failed};
use super::checksum::ToldSum;
use super::ops::{ChecksumKind, GetObject, ObjectInfo, Operation, ReadRange};
use super::per_core::PerCore;
use super::refusal::{Ids, Refusal};
use super::request::BodyInfo;
use super::store::Shared;
use crate::checksum::{Sum, Summing};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::response::{BodyFraming, ContentRange, ResponseHead};
use crate::http1::{Connection, HttpError};
use crate::pipeline::{Back, Fitted, frozen, memory};

/// Runs a GetObject as it is, ranges and conditions included; a body that breaks off is asked for
/// again from its first byte.
pub(super) async fn get(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &GetObject,
    bytes_max: usize,
) -> Result<(ObjectInfo, Bytes)> {
    let mut attempts = Attempts::new(core, shared, operation)?;
    let mut memory =
        Fitted::new(memory(core, bytes_max.max(1) as u64).await?.into(), Back::Fitting);
    let result = attempts
        .run(async |per_core, connection| {
            let attempt = Attempt { core, shared, per_core, operation, bytes_max };
            attempt.run(connection, &mut memory).await
        })
        .await;
    let (info, count) = result?;
    let lease = memory.into_buf(true).into_lease().expect("a lease was lent and comes back");
    Ok((info, frozen(lease, count)))
}

struct Attempt<'a> {
    core: &'a Core,
    shared: &'a Arc<Shared>,
    per_core: &'a PerCore,
    operation: &'a GetObject,
    bytes_max: usize,
}

impl Attempt<'_> {
    async fn run(
        &self,
        connection: &mut Connection,
        memory: &mut Fitted,
    ) -> Result<(ObjectInfo, usize), Failed> {
        let body = BodyInfo::none();
        let write = |out: &mut [u8]| {
            self.per_core.write(self.core, self.shared, self.operation, &body, out)
        };
        let exchanged = connection
            .exchange(write, None, |head, framing| {
                if head.is_success() {
                    let told = self.told_of_body(head);
                    let info = self.operation.decode(head, &[]);
                    let info = info.map_err(|error| format!("{error}{}", Ids::of(head)));
                    Ok((info, head.status(), framing, told))
                } else {
                    Err(Refusal::of(head, self.core))
                }
            })
            .await;
        let (info, status, framing, told) = match exchanged.result.map_err(Failed::Http)? {
            Err(refusal) => {
                let document = connection.receive_document(Vec::new()).await.unwrap_or_default();
                let (name, key) = (GetObject::NAME, self.operation.key());
                return Err(refusal.into_failed(self.shared, name, key, &document));
            }
            Ok(told) => told,
        };
        let info = info.map_err(|error| Failed::Http(HttpError::Unexpected(error)))?;
        let announced = self.announced(&info, status, framing, told.is_some())?;
        let span = 0..announced.unwrap_or(self.bytes_max);
        memory.fit(&span);
        let mut summed = told.map(|told| (told.sum, Summing::new(told.sum.algorithm())));
        let summing = summed.as_mut().map(|(_, summing)| summing);
        let (received, placed, back) = connection.receive_into(memory.take(), span, summing).await;
        memory.put_back(back);
        match received {
            Ok(()) if announced.is_none_or(|bytes| bytes == placed) => {
                let compared = summed.map_or(Ok(()), |(told, found)| self.compare(told, found));
                compared.map(|()| (info, placed))
            }
            Ok(()) => Err(Failed::Http(HttpError::Closed { stale: false })),
            Err(error) => Err(Failed::Http(error)),
        }
    }

    /// Bytes of the body, where the head tells them.
    ///
    /// # Errors
    /// An answer that is not about what was asked for, or whose end nothing would tell from a broken
    /// connection (DATA-2); more bytes than there is room for.
    fn announced(
        &self,
        info: &ObjectInfo,
        status: u16,
        framing: BodyFraming,
        has_sum: bool,
    ) -> Result<Option<usize>, Failed> {
        let unexpected = |text: &str| Failed::Http(HttpError::Unexpected(text.into()));
        let of_range = self.range_bytes(info, status)?;
        let announced = match framing {
            BodyFraming::None => Some(0),
            BodyFraming::Length(bytes) if of_range.is_some_and(|of_range| of_range != bytes) => {
                return Err(unexpected("Content-Length and Content-Range differ"));
            }
            BodyFraming::Length(bytes) => Some(bytes),
            BodyFraming::UntilClose if of_range.is_none() && !has_sum => {
                return Err(unexpected(
                    "a body without length or checksum, which any failure may have cut short",
                ));
            }
            BodyFraming::Chunked | BodyFraming::UntilClose => of_range,
        };
        let asked = self.operation.range.as_ref();
        if status == 200 && asked.is_some_and(|range| !is_all(range, announced)) {
            return Err(Failed::Final(self.shared.ignores_ranges(&self.operation.key)));
        }
        match announced {
            Some(bytes) if bytes > self.bytes_max as u64 => {
                Err(Failed::Final(self.too_large(bytes)))
            }
            announced => Ok(announced.map(|bytes| bytes as usize)),
        }
    }

    /// Bytes of the range that the answer is about; `None` where it is about the whole object.
    fn range_bytes(&self, info: &ObjectInfo, status: u16) -> Result<Option<u64>, Failed> {
        let asked = self.operation.range.as_ref();
        let is_asked_for = |first, last, total| match asked {
            Some(range) => range.gives(first, last, total),
            None => self.operation.part_number.is_some(),
        };
        match (status, info.content_range) {
            // What is not known as one of several parts is the whole object, perhaps of one part.
            (200, None) => match self.operation.part_number {
                Some(number) if number > 1 => {
                    let uri = self.shared.uri_of(&self.operation.key);
                    let text = format!("{uri}: its server takes no notice of part numbers");
                    Err(Failed::Final(ErrorKind::Unsupported(text).into()))
                }
                _ => Ok(None),
            },
            (206, Some(ContentRange::Satisfied { first, last, total }))
                if is_asked_for(first, last, total) =>
            {
                Ok(Some(last - first + 1))
            }
            (status, range) => {
                let text = format!("status {status} with Content-Range {range:?} to {asked:?}");
                Err(Failed::Http(HttpError::Unexpected(text)))
            }
        }
    }

    /// The checksum in this head, where it is one of the bytes that come: a range may be told that of the
    /// whole object, and so may a part, unless the object has a composite one; that is no value of its
    /// algorithm, so what is one belongs to the part.
    fn told_of_body(&self, head: &ResponseHead<'_>) -> Option<ToldSum> {
        let told = ToldSum::of_head(head).filter(|_| self.shared.checks.answers())?;
        let covers = match (head.status(), self.operation.part_number) {
            (200, None) => true,
            (206, Some(_)) => told.kind == Some(ChecksumKind::Composite),
            _ => false,
        };
        covers.then_some(told)
    }

    fn compare(&self, told: Sum, found: Summing) -> Result<(), Failed> {
        let found = found.finish();
        match found == told {
            true => Ok(()),
            false => {
                let name = told.algorithm().name();
                let text = format!("its {name} is {found}, and {told} was told");
                Err(Failed::Corrupt(self.shared.unexpected(&self.operation.key, text)))
            }
        }
    }

    fn too_large(&self, bytes: u64) -> Error {
        ErrorKind::InvalidInput(format!(
            "{} has {bytes} bytes where at most {} were to be read; ask for a range, or stream it",
            self.shared.uri_of(&self.operation.key),
            self.bytes_max
        ))
        .into()
    }
}

/// Whether the range asks for all of an object with so many bytes, so that a server may ignore it.
fn is_all(range: &ReadRange, object_bytes: Option<u64>) -> bool {
    match (*range, object_bytes) {
        (ReadRange::From(first), _) => first == 0,
        (ReadRange::Inclusive { first: 0, last }, Some(bytes)) => bytes <= last.saturating_add(1),
        (ReadRange::Last(count), Some(bytes)) => bytes <= count,
        _ => false,
    }
}
