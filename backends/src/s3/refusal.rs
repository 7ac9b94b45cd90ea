//! An answer that refuses.

use std::fmt;
use std::time::Duration;

use hydrant_engine::Core;

use super::attempts::Failed;
use super::error::{ErrorContext, Location, S3Error};
use super::per_core::own_clock;
use super::store::Shared;
use super::time::Timestamp;
use super::xml::XmlLimits;
use crate::http1::response::ResponseHead;

/// What support asks for.
pub(super) struct Ids {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    pub(super) host_id: Option<String>,
}

impl Ids {
    pub(super) fn of(head: &ResponseHead<'_>) -> Ids {
        Ids {
            status: head.status(),
            request_id: head.request_id().map(str::to_owned),
            host_id: head.host_id().map(str::to_owned),
        }
    }
}

/// Behind the words of an error.
impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " (HTTP {}, request id ", self.status)?;
        write!(f, "{}", self.request_id.as_deref().unwrap_or("none").escape_debug())?;
        if let Some(id) = &self.host_id {
            write!(f, ", host id {}", id.escape_debug())?;
        }
        f.write_str(")")
    }
}

/// The head of an answer that refuses.
pub(super) struct Refusal {
    pub(super) ids: Ids,
    bucket_region: Option<String>,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
    location: Option<Location>,
}

impl Refusal {
    pub(super) fn of(head: &ResponseHead<'_>, core: &Core) -> Box<Refusal> {
        let text = |name| head.text(name).ok().flatten().map(str::to_owned);
        let retry_after = text("retry-after")
            .and_then(|value| super::retry::parse_retry_after(&value, own_clock(core)));
        Box::new(Refusal {
            ids: Ids::of(head),
            bucket_region: text("x-amz-bucket-region"),
            retry_after,
            date: text("date").and_then(|text| Timestamp::parse_http_date(&text).ok()),
            location: text("location").map(Location),
        })
    }

    pub(super) fn into_failed(
        self,
        shared: &Shared,
        operation: &'static str,
        key: Option<&str>,
        document: &[u8],
    ) -> Failed {
        let context = ErrorContext {
            operation,
            bucket: shared.endpoint.bucket(),
            key,
            http_status: self.ids.status,
            request_id: self.ids.request_id.as_deref(),
            host_id: self.ids.host_id.as_deref(),
            bucket_region: self.bucket_region.as_deref(),
        };
        let mut error = S3Error::from_answer(&context, document, &XmlLimits::default());
        error.location = self.location;
        Failed::Answer { error: Box::new(error), retry_after: self.retry_after, date: self.date }
    }
}
