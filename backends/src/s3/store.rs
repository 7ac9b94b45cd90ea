//! The store of one bucket.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hydrant_engine::{Buf, Core};

use super::call::run;
use super::credentials::{Credentials, Identity};
use super::endpoint::{Endpoint, EndpointOptions, Scheme};
use super::reader::S3Reader;
use super::request::Request;
use super::retry::{Repeat, RetryPolicy};
use super::sign::PayloadHash;
use super::time::Timestamp;
use super::upload;
use super::xml::{XmlLimits, parse_list_page};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::HttpError;
use crate::http1::HttpLimits;
use crate::http1::request::Method;
use crate::http1::response::ResponseHead;
use crate::object::{Etag, ListEntry, ListPage, ListRequest, ObjectMeta, PutOptions};
use crate::store::{LocalFuture, ObjectStore, PartRules, Reader, Upload};

/// How a store speaks to its server.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct S3Config {
    /// Where the server is, the region, the style of addresses.
    pub endpoint: EndpointOptions,
    /// Who signs; `None` asks the environment, and stays anonymous where that has no keys.
    pub identity: Option<Identity>,
    /// How TLS is spoken; `None` trusts what the file named by `AWS_CA_BUNDLE` holds, or else what the
    /// system does.
    #[cfg(feature = "tls")]
    pub tls: Option<hydrant_engine::TlsConfig>,
    /// Limits of connections.
    pub http: HttpLimits,
    /// Limits of retries.
    pub retry: RetryPolicy,
}

/// One bucket of an S3 server.
#[derive(Debug)]
pub struct S3Store {
    shared: Arc<Shared>,
}

/// What all readers and uploads of a store share; none of it changes.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) host: String,
    pub(super) identity: Identity,
    /// Set where the endpoint's scheme is `https`.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<hydrant_engine::TlsConfig>,
    pub(super) config: S3Config,
}

/// Requests over one connection to AWS, which was seen to close after that many.
const AWS_REQUESTS_PER_CONNECTION: u32 = 100;

impl S3Store {
    /// Opens a bucket; nothing is asked of the server yet. `env` looks up environment variables. For
    /// an `https` endpoint the certificates to trust are read, from files.
    ///
    /// # Errors
    /// A bad endpoint, half a pair of credentials, no certificate to trust; an `https` endpoint where
    /// this crate was built without its feature `tls`.
    pub fn open(
        bucket: &str,
        mut config: S3Config,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<S3Store> {
        let from_env = EndpointOptions::from_env(env);
        let own_endpoint = config.endpoint.url.is_some() || from_env.url.is_some();
        let options = EndpointOptions {
            url: config.endpoint.url.take().or(from_env.url),
            region: config.endpoint.region.take().or(from_env.region),
            style: config.endpoint.style,
        };
        let endpoint = Endpoint::resolve(bucket, &options).map_err(config_error)?;
        #[cfg(feature = "tls")]
        let tls = match endpoint.scheme() {
            Scheme::Http => None,
            Scheme::Https => Some(super::tls::config(config.tls.take(), env)?),
        };
        #[cfg(not(feature = "tls"))]
        if endpoint.scheme() == Scheme::Https {
            return Err(ErrorKind::Unsupported(format!(
                "{endpoint} asks for TLS, which this build does not speak: build with the feature \
                 `tls`, or use an http:// endpoint (AWS_ENDPOINT_URL_S3)"
            ))
            .into());
        }
        if !own_endpoint {
            let limit = &mut config.http.requests_per_connection_max;
            limit.get_or_insert(AWS_REQUESTS_PER_CONNECTION);
        }
        let identity = match config.identity.take() {
            Some(identity) => identity,
            None => Credentials::from_env(env)
                .map_err(config_error)?
                .map_or(Identity::Anonymous, Identity::Keys),
        };
        let host = endpoint.host_header();
        let shared = Shared {
            endpoint,
            host,
            identity,
            #[cfg(feature = "tls")]
            tls,
            config,
        };
        Ok(S3Store { shared: Arc::new(shared) })
    }
}

impl S3Store {
    /// The bucket.
    pub fn bucket(&self) -> &str {
        self.shared.endpoint.bucket()
    }
}

impl Shared {
    pub(super) fn uri_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.endpoint.bucket())
    }

    pub(super) fn unexpected(&self, key: &str, detail: impl ToString) -> Error {
        let detail = detail.to_string();
        ErrorKind::Integrity { object: self.uri_of(key), detail }.into()
    }
}

impl ObjectStore for S3Store {
    fn uri_of(&self, key: &str) -> String {
        self.shared.uri_of(key)
    }

    fn part_rules(&self) -> PartRules {
        PartRules { s3_limits: true, single_put: true }
    }

    fn head<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move {
            let request = Request::plain("HeadObject", Method::Head, Some(key), &[], &[]);
            let (answer, _) =
                run(core, &self.shared, &request, Repeat::Freely, None, meta_of).await;
            Ok(answer?.head)
        })
    }

    fn reader(&self, key: &str) -> Arc<dyn Reader> {
        Arc::new(S3Reader::new(&self.shared, key))
    }

    fn put<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        buf: Buf,
        span: Range<usize>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, (Result<ObjectMeta>, Buf)> {
        Box::pin(async move {
            let size_bytes = span.len() as u64;
            let content_type = options.content_type.as_deref().map(|kind| ("content-type", kind));
            let headers: &[_] = match &content_type {
                Some(header) => std::slice::from_ref(header),
                None => &[],
            };
            let mut request = Request::plain("PutObject", Method::Put, Some(key), &[], headers);
            request.payload =
                if span.is_empty() { PayloadHash::Empty } else { PayloadHash::Unsigned };
            request.body_bytes = Some(size_bytes);
            let body = Some((buf, span));
            let (answer, back) =
                run(core, &self.shared, &request, Repeat::Freely, body, etag_of).await;
            let result = answer.map(|answer| ObjectMeta {
                etag: answer.head,
                content_type: options.content_type.clone(),
                ..ObjectMeta::of_size(size_bytes)
            });
            (result, back.unwrap_or_else(|| bytes::Bytes::new().into()))
        })
    }

    fn begin_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        _size_bytes: Option<u64>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Arc<dyn Upload>>> {
        Box::pin(upload::begin(core, &self.shared, key, options))
    }

    fn delete<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<()>> {
        Box::pin(async move {
            let request = Request::plain("DeleteObject", Method::Delete, Some(key), &[], &[]);
            let (answer, _) =
                run(core, &self.shared, &request, Repeat::Freely, None, |_| Ok(())).await;
            answer.map(drop)
        })
    }

    fn list_page<'a>(
        &'a self,
        core: &'a Core,
        request: &'a ListRequest,
    ) -> LocalFuture<'a, Result<ListPage>> {
        Box::pin(list_page(core, &self.shared, request))
    }
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub(super) fn plain(
        operation: &'static str,
        method: Method,
        key: Option<&'a str>,
        query: &'a [(&'a str, &'a str)],
        headers: &'a [(&'a str, &'a str)],
    ) -> Request<'a> {
        let payload = PayloadHash::Empty;
        Request { operation, method, key, query, headers, payload, body_bytes: None }
    }
}

async fn list_page(core: &Core, shared: &Arc<Shared>, list: &ListRequest) -> Result<ListPage> {
    let mut delimiter = [0; 4];
    let delimiter = list.delimiter.map(|character| &*character.encode_utf8(&mut delimiter));
    let count = list.entries_max.map(|count| count.to_string());
    let mut query = vec![("list-type", "2"), ("encoding-type", "url")];
    query.push(("prefix", &list.prefix));
    query.extend(delimiter.map(|text| ("delimiter", text)));
    query.extend(list.continuation.as_deref().map(|token| ("continuation-token", token)));
    query.extend(count.as_deref().map(|count| ("max-keys", count)));
    let request = Request::plain("ListObjectsV2", Method::Get, None, &query, &[]);
    let (answer, _) = run(core, shared, &request, Repeat::Freely, None, |_| Ok(())).await;
    let page = parse_list_page(&answer?.document, &XmlLimits::default())
        .map_err(|error| shared.unexpected(&list.prefix, error))?;
    // A token that leads back to itself would list for ever.
    if page.next_continuation_token.is_some() && page.next_continuation_token == list.continuation {
        return Err(shared.unexpected(&list.prefix, "the listing repeats its continuation token"));
    }
    let objects = page.objects.into_iter().map(|object| ListEntry::Object {
        meta: ObjectMeta {
            etag: object.etag.as_deref().and_then(Etag::new),
            modified: object.last_modified.map(system_time),
            ..ObjectMeta::of_size(object.size)
        },
        key: object.key,
    });
    let mut entries: Vec<_> = objects.collect();
    entries.extend(page.common_prefixes.into_iter().map(ListEntry::Prefix));
    entries.sort_by(|a, b| a.key().as_bytes().cmp(b.key().as_bytes()));
    Ok(ListPage { entries, continuation: page.next_continuation_token })
}

/// What the head of a HEAD or a whole GET says.
pub(super) fn meta_of(head: &ResponseHead<'_>) -> Result<ObjectMeta, HttpError> {
    let size = head.content_length();
    let size_bytes =
        size.ok_or_else(|| HttpError::Unexpected("the answer tells no Content-Length".into()))?;
    Ok(ObjectMeta { ..described(head, size_bytes)? })
}

/// The same for an object whose size is known otherwise.
pub(super) fn described(head: &ResponseHead<'_>, size_bytes: u64) -> Result<ObjectMeta, HttpError> {
    let modified = head.text("last-modified")?;
    Ok(ObjectMeta {
        etag: etag_of(head)?,
        modified: modified.and_then(|text| Timestamp::parse_http_date(text).ok()).map(system_time),
        content_type: head.text("content-type")?.map(str::to_owned),
        ..ObjectMeta::of_size(size_bytes)
    })
}

pub(super) fn etag_of(head: &ResponseHead<'_>) -> Result<Option<Etag>, HttpError> {
    Ok(head.etag()?.and_then(Etag::new))
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(at.unix_seconds())
}

fn config_error(error: impl ToString) -> Error {
    ErrorKind::Config(error.to_string()).into()
}
