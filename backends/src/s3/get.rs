//! GetObject into one buffer.

use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Buf, Core};

use super::attempts::{Attempts, Failed};
use super::checksum::{SentSum, ToldSum, bytes_of};
use super::ops::{GetObject, ObjectInfo, Operation};
use super::per_core::PerCore;
use super::refusal::Refusal;
use super::request::BodyInfo;
use super::store::Shared;
use crate::checksum::Sum;
use crate::error::{Error, ErrorKind, Result};
use crate::http1::response::{BodyFraming, ResponseHead};
use crate::http1::{Connection, HttpError};
use crate::pipeline::{frozen, memory};

/// Runs a GetObject as it is, ranges and conditions included; a body that breaks off is asked for
/// again from its first byte.
pub(super) async fn get(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &GetObject,
    bytes_max: usize,
) -> Result<(ObjectInfo, Bytes)> {
    let mut attempts = Attempts::new(core, shared, operation)?;
    let mut buf = Buf::from(memory(core, bytes_max.max(1) as u64).await?);
    let result = attempts
        .run(async |per_core, connection| {
            let attempt = Attempt { core, shared, per_core, operation, bytes_max };
            let lent = std::mem::replace(&mut buf, Bytes::new().into());
            let (result, back) = attempt.run(connection, lent).await;
            buf = back;
            result
        })
        .await;
    let (info, count) = result?;
    let lease = buf.into_lease().expect("a lease was lent and comes back");
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
        buf: Buf,
    ) -> (Result<(ObjectInfo, usize), Failed>, Buf) {
        let body = BodyInfo::of_bytes(0, SentSum::default());
        let write = |out: &mut [u8]| {
            self.per_core.write(self.core, self.shared, self.operation, &body, out)
        };
        let exchanged = connection
            .exchange(write, None, |head, framing| {
                if head.is_success() {
                    let told = self.covers_body(head).then(|| ToldSum::of_head(head)).flatten();
                    Ok((self.operation.decode(head, &[]), framing, told))
                } else {
                    Err(Refusal::of(head, self.core))
                }
            })
            .await;
        let (info, framing, told) = match exchanged.result {
            Err(error) => return (Err(Failed::Http(error)), buf),
            Ok(Err(refusal)) => {
                let document = connection.receive_document().await.unwrap_or_default();
                let (name, key) = (GetObject::NAME, self.operation.key());
                return (Err(refusal.into_failed(self.shared, name, key, &document)), buf);
            }
            Ok(Ok((Err(error), ..))) => {
                return (Err(Failed::Http(HttpError::Unexpected(error.to_string()))), buf);
            }
            Ok(Ok((Ok(info), framing, told))) => (info, framing, told),
        };
        let announced = match framing {
            BodyFraming::None => Some(0),
            BodyFraming::Length(bytes) if bytes > self.bytes_max as u64 => {
                return (Err(Failed::Final(self.too_large(bytes))), buf);
            }
            BodyFraming::Length(bytes) => Some(bytes as usize),
            BodyFraming::Chunked | BodyFraming::UntilClose => None,
        };
        let span = 0..announced.unwrap_or(self.bytes_max);
        let (received, placed, mut buf) = connection.receive_into(buf, span).await;
        let result = match received {
            Ok(()) if announced.is_none_or(|bytes| bytes == placed) => {
                self.compare(told, bytes_of(&mut buf, 0..placed)).map(|()| (info, placed))
            }
            Ok(()) => Err(Failed::Http(HttpError::Closed { stale: false })),
            Err(error) => Err(Failed::Http(error)),
        };
        (result, buf)
    }

    /// Whether a checksum in this head is one of the bytes that come: a range may be told that of the
    /// whole object.
    fn covers_body(&self, head: &ResponseHead<'_>) -> bool {
        self.shared.checks.answers() && head.status() == 200 && self.operation.part_number.is_none()
    }

    fn compare(&self, told: Option<ToldSum>, bytes: &[u8]) -> Result<(), Failed> {
        let Some(ToldSum { sum: told, .. }) = told else { return Ok(()) };
        let found = Sum::of(told.algorithm(), bytes);
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
