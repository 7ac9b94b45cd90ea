//! Bodies that nobody reads to the end.
//!
//! A refusal can be ready before the request's body has arrived. Closing the connection on bytes that are still
//! coming resets it, and the reset can overtake the answer: the client then sees a broken connection instead of the
//! reason. So what is left of a short body is received and dropped before the answer goes out.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// How long the rest of a body may take. A refusal loses nothing but its reason by coming without it.
const REST_TIMEOUT: Duration = Duration::from_secs(1);

/// A body on loan: when its reader drops it, it goes back to whoever lent it.
pub(crate) struct Loan {
    body: Option<Incoming>,
    back: Returned,
}

/// Where a [`Loan`] goes back to.
#[derive(Clone, Default)]
pub(crate) struct Returned(Arc<Mutex<Option<Incoming>>>);

impl Loan {
    pub(crate) fn new(body: Incoming, back: Returned) -> Self {
        Self { body: Some(body), back }
    }
}

impl Returned {
    /// Receives the rest of the body up to `most` bytes. What is longer stays where it is.
    pub(crate) async fn receive_rest(self, most: u64) {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = body.filter(|body| body.size_hint().lower() <= most) else { return };
        let rest = async {
            let mut received = 0;
            while let Some(Ok(frame)) = body.frame().await {
                received += frame.data_ref().map_or(0, |data| data.len() as u64);
                if received > most {
                    break;
                }
            }
        };
        // Out of time is like out of bytes: the answer goes out all the same.
        let _ = timeout(REST_TIMEOUT, rest).await;
    }
}

impl Body for Loan {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.back.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
