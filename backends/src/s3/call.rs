//! A call: one operation with all its attempts.
//!
//! The body of a request stays in its buffer until the last attempt has ended, so a retry reads
//! nothing a second time.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hydrant_engine::{Buf, Core};

use super::attempts::{Attempts, Failed};
use super::checksum::{SentSum, bytes_of};
use super::error::{ErrorContext, S3Error};
use super::ops::{DecodeError, Operation, Payload};
use super::per_core::PerCore;
use super::refusal::{Ids, Refusal};
use super::request::BodyInfo;
use super::retry::Repeat;
use super::store::Shared;
use super::xml::XmlError;
use crate::checksum::Sum;
use crate::error::Result;
use crate::http1::response::{BodyFraming, KeptHead, ResponseHead};
use crate::http1::{BodyFrames, Connection, HttpError, RequestBody, Waited};

/// Runs an operation with the body that it brings itself.
pub(super) async fn send<O: Operation>(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &O,
) -> Result<O::Output> {
    send_in_doubt(core, shared, operation).await.0
}

/// The same, and whether an attempt that failed may have been carried out.
pub(super) async fn send_in_doubt<O: Operation>(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &O,
) -> (Result<O::Output>, bool) {
    let payload = operation.payload();
    let body = match &payload {
        Payload::Bytes(bytes) => {
            let sent = shared.checks.of_object(operation.body_check(), bytes);
            let to_sign = shared.signs_payload().then_some(&bytes[..]);
            BodyInfo::of_bytes(bytes.len(), sent, to_sign)
        }
        other => BodyInfo::of(other),
    };
    let bytes = match payload {
        Payload::None => None,
        Payload::Bytes(bytes) => Some(bytes),
        Payload::Document { xml, .. } => Some(Bytes::from(xml)),
    };
    let lent = bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| {
        let span = 0..bytes.len();
        (Buf::from(bytes), span)
    });
    let (result, in_doubt, _) = run(core, shared, operation, &body, lent).await;
    (result, in_doubt)
}

/// Runs an operation with a part of a buffer as its body; the buffer comes back, and the checksum that
/// went with it. `sent` is what goes with those bytes. Tells, too, whether an attempt before the last may have been carried out.
pub(super) async fn send_from<O: Operation>(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &O,
    mut buf: Buf,
    span: Range<usize>,
    sent: SentSum,
) -> (Result<O::Output>, bool, Buf, Option<Sum>) {
    let to_sign = shared.signs_payload().then(|| bytes_of(&mut buf, span.clone()));
    let body = BodyInfo::of_bytes(span.len(), sent, to_sign);
    let lent = Some((buf, span));
    let (result, in_doubt, back) = run(core, shared, operation, &body, lent).await;
    (result, in_doubt, back.unwrap_or_else(|| Bytes::new().into()), body.sum())
}

async fn run<O: Operation>(
    core: &Core,
    shared: &Arc<Shared>,
    operation: &O,
    body: &BodyInfo,
    mut lent: Option<(Buf, Range<usize>)>,
) -> (Result<O::Output>, bool, Option<Buf>) {
    let mut attempts = match Attempts::new(core, shared, operation) {
        Ok(attempts) => attempts,
        Err(error) => return (Err(error), false, lent.map(|(buf, _)| buf)),
    };
    // A part that is sent again is waited for until it stalls: it never fails for being late.
    let learns = operation.waits_as_learnt();
    let mut is_patient = !learns || shared.config.retry.tries_max < 2;
    let attempt = async |per_core: &PerCore, connection: &mut Connection| {
        let span = lent.as_ref().map(|(_, span)| span.clone());
        let is_patient = std::mem::replace(&mut is_patient, true);
        let exchange = Exchange { core, shared, per_core, operation, body, learns, is_patient };
        let (result, back) = exchange.run(connection, lent.take()).await;
        lent = back.zip(span);
        result
    };
    let result = attempts.run(attempt).await;
    (result, attempts.in_doubt, lent.map(|(buf, _)| buf))
}

/// One attempt.
struct Exchange<'a, O> {
    core: &'a Core,
    shared: &'a Arc<Shared>,
    per_core: &'a PerCore,
    operation: &'a O,
    body: &'a BodyInfo,
    /// How long its answer takes is learnt.
    learns: bool,
    /// The answer is waited for as any is, whatever was learnt.
    is_patient: bool,
}

/// What the head of an answer came to.
enum Told<T> {
    /// There is no body, so this is all.
    Whole(T),
    /// The same, and it cannot be read.
    Unreadable(DecodeError, Ids),
    /// A document follows.
    Document(KeptHead),
    /// It refuses.
    Refused(Box<Refusal>),
}

impl<O: Operation> Exchange<'_, O> {
    async fn run(
        &self,
        connection: &mut Connection,
        lent: Option<(Buf, Range<usize>)>,
    ) -> (Result<O::Output, Failed>, Option<Buf>) {
        let lent = lent.map(|(buf, span)| RequestBody { buf, span });
        let body_bytes = lent.as_ref().map_or(0, |body| body.span.len() as u64);
        let (refused_before, mut asked) = (self.per_core.refused_bodies(), false);
        let write = |out: &mut [u8]| {
            let head = self.per_core.write(self.core, self.shared, self.operation, self.body, out);
            asked = head.as_ref().is_ok_and(|head| head.expects_continue);
            head
        };
        let mut framer = self.body.framer();
        let frames = framer.as_mut().map(|framer| framer as &mut dyn BodyFrames);
        let look = |head: &ResponseHead<'_>, framing| self.look(head, framing);
        let learnt = &self.per_core.first_byte;
        let patience = if self.is_patient { None } else { learnt.borrow().limit() };
        let exchanged = connection.exchange_framed(write, lent, frames, patience, look).await;
        let back = exchanged.body.map(|body| body.buf);
        if connection.has_unanswered_expectation() {
            self.per_core.stop_expecting();
        }
        match &exchanged.result {
            _ if !self.per_core.is_large(body_bytes) => {}
            Ok(Told::Whole(_) | Told::Document(_)) if asked => {
                self.per_core.took_body(refused_before);
            }
            // What is asked for each time is refused for what it says itself.
            _ if self.operation.repeat() != Repeat::Freely => {}
            Ok(Told::Refused(_)) => self.per_core.refused_body(),
            Err(_) if !matches!(exchanged.waited, Waited::TooLong(_)) => {
                self.per_core.refused_body();
            }
            _ => {}
        }
        if let (true, Waited::Answered(took), Ok(Told::Whole(_))) =
            (self.learns, exchanged.waited, &exchanged.result)
        {
            learnt.borrow_mut().answered(took);
        }
        let result = match exchanged.result {
            Err(error) => match exchanged.waited {
                Waited::TooLong(time) => {
                    learnt.borrow_mut().late(time);
                    Err(Failed::Late(error))
                }
                Waited::Answered(_) | Waited::Otherwise => Err(Failed::Http(error)),
            },
            Ok(Told::Whole(output)) => Ok(output),
            Ok(Told::Unreadable(error, ids)) => Err(self.undecodable(error, ids)),
            Ok(Told::Document(head)) => self.read_document(connection, &head.borrow()).await,
            Ok(Told::Refused(refusal)) => {
                let document = if refusal.ids.status == 417 {
                    self.per_core.stop_expecting();
                    Vec::new()
                } else {
                    connection.receive_document(Vec::new()).await.unwrap_or_default()
                };
                let (name, key) = (O::NAME, self.operation.key());
                Err(refusal.into_failed(self.shared, name, key, &document))
            }
        };
        (result, back)
    }

    async fn read_document(
        &self,
        connection: &mut Connection,
        head: &ResponseHead<'_>,
    ) -> Result<O::Output, Failed> {
        let memory = self.per_core.document_memory();
        let document = connection.receive_document(memory).await.map_err(Failed::Http)?;
        let output = self.operation.decode(head, &document);
        self.per_core
            .keep_document_memory(document, self.shared.config.http.kept_document_bytes_max);
        output.map_err(|error| self.undecodable(error, Ids::of(head)))
    }

    fn look(&self, head: &ResponseHead<'_>, framing: BodyFraming) -> Told<O::Output> {
        if !head.is_success() {
            return Told::Refused(Refusal::of(head, self.core));
        }
        match framing {
            BodyFraming::None | BodyFraming::Length(0) => match self.operation.decode(head, &[]) {
                Ok(output) => Told::Whole(output),
                Err(error) => Told::Unreadable(error, Ids::of(head)),
            },
            BodyFraming::Length(_) | BodyFraming::Chunked | BodyFraming::UntilClose => {
                Told::Document(head.keep())
            }
        }
    }

    /// A success that is none, or that cannot be read.
    fn undecodable(&self, error: DecodeError, ids: Ids) -> Failed {
        match error {
            DecodeError::Refused(document) => {
                let context = ErrorContext {
                    operation: O::NAME,
                    bucket: self.shared.endpoint.bucket(),
                    key: self.operation.key(),
                    http_status: ids.status,
                    request_id: ids.request_id.as_deref(),
                    host_id: ids.host_id.as_deref(),
                    bucket_region: None,
                };
                let error = Box::new(S3Error::from_document(&context, *document));
                Failed::Answer { error, retry_after: None, date: None }
            }
            // Cut short on its way: the next try may bring it whole.
            DecodeError::Xml(XmlError::Truncated) => {
                Failed::Http(HttpError::Unexpected(format!("{error}{ids}")))
            }
            DecodeError::Field(error) => {
                Failed::Http(HttpError::Unexpected(format!("{error}{ids}")))
            }
            error => {
                let key = self.operation.key().unwrap_or_default();
                Failed::Final(self.shared.unexpected(key, format!("{}: {error}{ids}", O::NAME)))
            }
        }
    }
}
