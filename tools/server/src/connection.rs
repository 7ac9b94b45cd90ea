//! From accepted sockets to the S3 service: one task a connection, HTTP/1.1, within the limits.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_RANGE, EXPECT, HeaderValue, RANGE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::dto::Range;
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::config::Limits;
use crate::linger::{Loan, Returned};
use crate::stats::Counters;
use crate::throttle::Throttled;

/// hyper refuses smaller ones.
const BUFFER_BYTES_MIN: usize = 8 << 10;

const REQUEST_ID: &str = "x-amz-request-id";

/// What every connection needs.
pub(crate) struct Front {
    pub service: S3Service,
    pub counters: Arc<Counters>,
    /// Whether requests must be signed.
    pub signed: bool,
    /// Speaks TLS with every connection.
    pub tls: Option<TlsAcceptor>,
    pub throttle_bytes_per_second: Option<u64>,
    pub limits: Limits,
    pub next_request: AtomicU64,
}

impl Front {
    /// Serves until `stop` turns true, then lets running requests end within the limit.
    pub(crate) async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        stop: watch::Receiver<bool>,
    ) {
        let connections_max = u32::try_from(self.limits.connections_max.max(1)).unwrap_or(u32::MAX);
        let places = Arc::new(Semaphore::new(connections_max as usize));
        let mut stopped = pin!(is_true(stop.clone()));
        loop {
            // The place comes first: beyond the limit, connections wait in the kernel's queue.
            let next = async {
                let place = places.clone().acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                () = &mut stopped => break,
            };
            match accepted {
                Ok((socket, _)) => {
                    let (front, stop) = (self.clone(), stop.clone());
                    tokio::spawn(async move {
                        front.connection(socket, stop).await;
                        drop(place);
                    });
                }
                // Out of descriptors, or a connection gone before it was taken: both pass.
                Err(_) => sleep(std::time::Duration::from_millis(10)).await,
            }
        }
        drop(listener);
        // Whoever is not done by then is cut off with the runtime.
        let _ = timeout(self.limits.stop_timeout, places.acquire_many(connections_max)).await;
    }

    async fn connection(self: Arc<Self>, socket: TcpStream, stop: watch::Receiver<bool>) {
        self.counters.connection_accepted();
        let _closing = Closing(self.counters.clone());
        // Answers are written whole; waiting to fill a packet would only delay the next request. A socket that
        // refuses is gone already, which the first read finds out.
        let _ = socket.set_nodelay(true);
        match self.throttle_bytes_per_second {
            Some(rate) => self.secure(Throttled::new(socket, rate), stop).await,
            None => self.secure(socket, stop).await,
        }
    }

    /// TLS first, where it is spoken. Whoever does not get through the handshake has no request to answer.
    async fn secure(
        self: Arc<Self>,
        io: impl AsyncRead + AsyncWrite + Unpin + 'static,
        stop: watch::Receiver<bool>,
    ) {
        let Some(acceptor) = self.tls.clone() else { return self.serve(io, stop).await };
        if let Ok(Ok(io)) = timeout(self.limits.tls_handshake_timeout, acceptor.accept(io)).await {
            self.serve(io, stop).await;
        }
    }

    async fn serve(
        self: Arc<Self>,
        io: impl AsyncRead + AsyncWrite + Unpin + 'static,
        stop: watch::Receiver<bool>,
    ) {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_read_timeout)
            .max_headers(self.limits.headers_max)
            .max_buf_size(self.limits.connection_buffer_bytes.max(BUFFER_BYTES_MIN));
        let service = service_fn(|request| self.answer(request));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(io), service));
        // How a connection ended is the peer's affair: it has its answer, or it has gone.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = is_true(stop) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Result<HttpResponse, HttpError> {
        self.counters.request(request.method());
        drop_malformed_range(&mut request);
        if !self.signed {
            drop_signature(&mut request);
        }
        // Who waits for "100 Continue" has sent nothing, and reading the body would ask for it.
        let waits = request.headers().contains_key(EXPECT);
        let back = Returned::default();
        let request = request.map(|body| Body::http_body(Loan::new(body, back.clone())));
        let mut response = self.service.call(request).await?;
        if !waits {
            back.receive_rest(self.limits.refused_body_bytes_max).await;
        }
        if response.status() == StatusCode::OK && response.headers().contains_key(CONTENT_RANGE) {
            // The protocol layer forgets this for HEAD.
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        let id = self.next_request.fetch_add(1, Ordering::Relaxed);
        if let Ok(id) = HeaderValue::try_from(format!("{id:016X}")) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Ok(response)
    }
}

struct Closing(Arc<Counters>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}

/// Also ends when nobody is left who could stop the server.
async fn is_true(mut flag: watch::Receiver<bool>) {
    let _ = flag.wait_for(|value| *value).await;
}

/// RFC 9110 section 14.2: a `Range` that is not understood, several ranges too, is as if it were not there.
fn drop_malformed_range(request: &mut Request<Incoming>) {
    let understood =
        |value: &HeaderValue| value.to_str().is_ok_and(|text| Range::parse(text).is_ok());
    if request.headers().get(RANGE).is_some_and(|value| !understood(value)) {
        request.headers_mut().remove(RANGE);
    }
}

/// A server without credentials has no key to verify with; it lets everybody in, with or without a signature.
fn drop_signature(request: &mut Request<Incoming>) {
    request.headers_mut().remove(AUTHORIZATION);
    let signed = request.uri().query().is_some_and(|query| query.split('&').any(is_signature));
    if signed && let Some(uri) = without_signature(request.uri()) {
        *request.uri_mut() = uri;
    }
}

fn without_signature(uri: &Uri) -> Option<Uri> {
    let kept: Vec<&str> = uri.query()?.split('&').filter(|pair| !is_signature(pair)).collect();
    let path_and_query = match kept.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), kept.join("&")),
    };
    Uri::builder().path_and_query(path_and_query).build().ok()
}

/// Whether a query parameter belongs to a presigned URL, of version 4 or 2.
fn is_signature(pair: &str) -> bool {
    const NAMES: [&str; 10] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "AWSAccessKeyId",
        "Signature",
        "Expires",
    ];
    NAMES.contains(&pair.split('=').next().unwrap_or_default())
}
