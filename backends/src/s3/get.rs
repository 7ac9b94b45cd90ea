//! GetObject into one buffer.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Buf, Core};

use super::call::{Attempts, Failed, Refusal};
use super::ops::{GetObject, ObjectInfo, Operation};
use super::per_core::PerCore;
use super::request::BodyInfo;
use super::store::Shared;
use crate::error::{Error, ErrorKind, Result};
use crate::http1::response::BodyFraming;
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
    loop {
        let per_core = Rc::clone(&attempts.per_core);
        let failed = match attempts.lend(&per_core).await {
            Err(failed) => failed,
            Ok(mut connection) => {
                let attempt = Attempt { core, shared, per_core: &per_core, operation, bytes_max };
                let (result, back) = attempt.run(&mut connection, buf).await;
                buf = back;
                match result {
                    Ok((info, count)) => {
                        attempts.succeeded();
                        let lease = buf.into_lease().expect("a lease was lent and comes back");
                        return Ok((info, frozen(lease, count)));
                    }
                    Err(failed) => failed,
                }
            }
        };
        attempts.failed(failed).await?;
    }
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
        let body = BodyInfo::of_bytes(0);
        let write = |out: &mut [u8]| {
            self.per_core.write(self.core, self.shared, self.operation, &body, out)
        };
        let exchanged = connection
            .exchange(write, None, |head, framing| {
                if head.is_success() {
                    Ok((self.operation.decode(head, &[]), framing))
                } else {
                    Err(Refusal::of(head, self.core))
                }
            })
            .await;
        let (info, framing) = match exchanged.result {
            Err(error) => return (Err(Failed::Http(error)), buf),
            Ok(Err(refusal)) => {
                let document = connection.receive_document().await.unwrap_or_default();
                let (name, key) = (GetObject::NAME, self.operation.key());
                return (Err(refusal.into_failed(self.shared, name, key, &document)), buf);
            }
            Ok(Ok((Err(error), _))) => {
                return (Err(Failed::Http(HttpError::Unexpected(error.to_string()))), buf);
            }
            Ok(Ok((Ok(info), framing))) => (info, framing),
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
        let (received, placed, buf) = connection.receive_into(buf, span).await;
        let result = match received {
            Ok(()) if announced.is_none_or(|bytes| bytes == placed) => Ok((info, placed)),
            Ok(()) => Err(Failed::Http(HttpError::Closed { stale: false })),
            Err(error) => Err(Failed::Http(error)),
        };
        (result, buf)
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
