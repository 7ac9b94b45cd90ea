//! One attempt's head: written and signed into the memory of a connection, without allocating.

use super::aws_chunked::{Framer, Progress};
use super::checksum::SentSum;
use super::credentials::Credentials;
use super::encode::write_query;
use super::endpoint::Endpoint;
use super::ops::{InvalidRequest, Operation, Payload, RequestParts, Target, content_md5};
use super::retry::Repeat;
use super::sign::{
    PayloadHash, QUERY_PAIRS_MAX, SIGNED_HEADERS_MAX, Scope, SignError, SigningKeyCache,
    SigningRequest, sign,
};
use super::time::{SigningTime, Timestamp};
use crate::checksum::Sum;
use crate::http1::request::{Method, RequestWriter};
use crate::http1::{HttpError, RequestHead};

/// What the head says of the body; the same in every attempt.
pub(super) struct BodyInfo {
    hash: PayloadHash,
    bytes: u64,
    is_document: bool,
    sent: SentSum,
    progress: Progress,
}

/// What the signature of a request says of the bytes of an object or a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PayloadSigning {
    /// Nothing: TLS and the checksum keep them whole.
    #[default]
    Unsigned,
    /// Their SHA-256, for servers that refuse the unsigned form and the chunked one. It is taken before
    /// the head is sent, and takes a core for every 12 Gbit/s or so. Bodies with a checksum behind them
    /// have their chunks signed, as with [`ChecksumPlace::SignedTrailer`]. Requests that nobody signs
    /// say nothing of them.
    ///
    /// [`ChecksumPlace::SignedTrailer`]: super::ChecksumPlace::SignedTrailer
    Signed,
}

/// Where requests of a core go, and as whom.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) host: &'a str,
    /// `None` does not sign.
    pub(super) credentials: Option<&'a Credentials>,
    pub(super) now: Timestamp,
    /// Bodies of so many bytes and more wait until the server wants them, where that is in doubt.
    pub(super) expect_bytes_min: Option<u64>,
    /// It has taken one when it was asked, and has refused none since.
    pub(super) takes_bodies: bool,
}

/// Memory that the heads of one core are put together in; it keeps its capacity.
#[derive(Default)]
pub(super) struct Scratch {
    parts: RequestParts,
    target: Vec<u8>,
    authorization: Vec<u8>,
    keys: SigningKeyCache,
}

pub(super) const KEY_IN_THE_OPEN: &str = "it holds a key of the customer (SSE-C), which anybody on the way could read: \
    use an https:// endpoint";

impl BodyInfo {
    /// Of what the operation itself brings.
    pub(super) fn of(payload: &Payload) -> BodyInfo {
        match payload {
            Payload::None => BodyInfo::none(),
            Payload::Bytes(bytes) => BodyInfo::of_bytes(bytes.len(), SentSum::default(), None),
            Payload::Document { xml, md5 } => BodyInfo {
                hash: PayloadHash::of(xml),
                bytes: xml.len() as u64,
                is_document: true,
                sent: SentSum { md5: md5.then(|| content_md5(xml)), ..SentSum::default() },
                progress: Progress::default(),
            },
        }
    }

    /// There is none.
    pub(super) fn none() -> BodyInfo {
        BodyInfo::of_bytes(0, SentSum::default(), None)
    }

    /// Of so many bytes of an object; `to_sign` are these bytes, if the signature is to cover them.
    pub(super) fn of_bytes(len: usize, sent: SentSum, to_sign: Option<&[u8]>) -> BodyInfo {
        let hash = match (sent.framing, to_sign) {
            _ if len == 0 => PayloadHash::Empty,
            (Some(framing), _) => framing.payload(),
            (None, Some(bytes)) => PayloadHash::of(bytes),
            (None, None) => PayloadHash::Unsigned,
        };
        let progress = Progress::default();
        BodyInfo { hash, bytes: len as u64, is_document: false, sent, progress }
    }

    /// Frames the body of an attempt, where it is framed at all.
    pub(super) fn framer(&self) -> Option<Framer<'_>> {
        self.sent.framing.map(|framing| Framer::new(framing, &self.progress))
    }

    /// The checksum that went with it, in the head or behind it.
    pub(super) fn sum(&self) -> Option<Sum> {
        self.sent.sum.or(self.progress.sum.get())
    }
}

impl Scratch {
    /// Finds out whether the operation can be asked for at all, and by which method.
    pub(super) fn check(&mut self, operation: &impl Operation) -> Result<Method, InvalidRequest> {
        operation.encode(&mut self.parts)?;
        Ok(self.parts.method())
    }

    /// Writes the head of one attempt and tells of it.
    pub(super) fn write_head(
        &mut self,
        out: &mut [u8],
        operation: &impl Operation,
        body: &BodyInfo,
        caller: Caller<'_>,
    ) -> Result<RequestHead, HttpError> {
        operation.encode(&mut self.parts).map_err(unexpected)?;
        if self.parts.has_secret() && !caller.endpoint.is_confidential() {
            return Err(unexpected(KEY_IN_THE_OPEN));
        }
        if body.is_document {
            self.parts.header("content-type", "application/xml");
        }
        self.parts.header_opt("content-md5", body.sent.md5.as_ref());
        if let Some(sum) = &body.sent.sum {
            self.parts.header(sum.algorithm().header(), sum);
        }
        if let Some(framing) = body.sent.framing {
            self.parts.header_word("content-encoding", "aws-chunked");
            self.parts.header("x-amz-decoded-content-length", body.bytes);
            self.parts.header_opt("x-amz-trailer", framing.trailer.map(|it| it.header()));
        }

        let Scratch { parts, target, authorization, keys } = self;
        let mut query = [("", ""); QUERY_PAIRS_MAX];
        let query = collect(&mut query, parts.query_pairs(), "query pairs")?;
        target.clear();
        match parts.target() {
            Target::Object(key) => caller.endpoint.write_object_path(key, target),
            Target::Bucket | Target::Service => caller.endpoint.write_bucket_path(target),
        }
        let path_bytes = target.len();
        write_query(query, target);
        let target_text =
            std::str::from_utf8(target).map_err(|_| unexpected("a path that is not text"))?;

        let method = parts.method();
        let mut writer = RequestWriter::start(out, method, target_text, caller.host)?;
        for (name, value) in parts.headers() {
            writer = writer.header(name, value)?;
        }
        if caller.endpoint.is_plain() {
            // Servers turn away who has no name; and a body that was packed has no ranges of the object.
            writer = writer
                .header("user-agent", concat!("hydrant/", env!("CARGO_PKG_VERSION")))?
                .header("accept-encoding", "identity")?;
        }
        if let Some(credentials) = caller.credentials {
            let time = SigningTime::new(caller.now);
            let mut headers = [("", &[][..]); SIGNED_HEADERS_MAX];
            let own = own_headers(caller.host, body, credentials, &time);
            let given = parts.headers().map(|(name, value)| (name, value.as_bytes()));
            let headers = collect(&mut headers, own.chain(given), "headers")?;
            let to_sign = SigningRequest {
                method: method.as_str(),
                path: &target[..path_bytes],
                query,
                headers,
                payload: body.hash,
            };
            let scope = Scope { time, region: caller.endpoint.region(), service: "s3" };
            let signed = sign(&to_sign, scope, credentials, keys).map_err(not_signed)?;
            authorization.clear();
            signed.write_authorization(authorization);
            writer = writer
                .header("x-amz-date", time.date_time())?
                .header("x-amz-content-sha256", body.hash.as_bytes())?;
            if let Some(token) = credentials.session_token() {
                writer = writer.header("x-amz-security-token", token)?;
            }
            writer = writer.header("authorization", &authorization)?;
            if body.sent.framing.is_some_and(|framing| framing.is_signed) {
                body.progress.signer.replace(Some(signed.chunks(credentials, keys)));
            }
        }
        if matches!(method, Method::Put | Method::Post) || body.bytes > 0 {
            let framing = body.sent.framing;
            let bytes = framing.map_or(body.bytes, |framing| framing.framed_bytes(body.bytes));
            writer = writer.content_length(bytes)?;
        }
        // Not signed: it is between the client and the next server, and a proxy may take it away.
        let is_large = caller.expect_bytes_min.is_some_and(|min| body.bytes >= min);
        // What may not be sent twice is asked for each time: a refusal then leaves nothing in doubt.
        let expects_continue =
            is_large && (!caller.takes_bodies || operation.repeat() != Repeat::Freely);
        if expects_continue {
            writer = writer.header("expect", "100-continue")?;
        }
        Ok(RequestHead { bytes: writer.finish()?, method, expects_continue })
    }
}

/// The headers that every signed request has.
fn own_headers<'a>(
    host: &'a str,
    body: &'a BodyInfo,
    credentials: &'a Credentials,
    time: &'a SigningTime,
) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let token = credentials.session_token().map(|token| ("x-amz-security-token", token.as_bytes()));
    [
        ("host", host.as_bytes()),
        ("x-amz-content-sha256", body.hash.as_bytes()),
        ("x-amz-date", &time.date_time()[..]),
    ]
    .into_iter()
    .chain(token)
}

/// Puts pairs into a table on the stack.
fn collect<'b, T>(
    table: &'b mut [T],
    pairs: impl Iterator<Item = T>,
    what: &str,
) -> Result<&'b [T], HttpError> {
    let (mut count, most) = (0, table.len());
    for pair in pairs {
        let slot = table.get_mut(count);
        *slot.ok_or_else(|| unexpected(format!("more than {most} {what} in one request")))? = pair;
        count += 1;
    }
    Ok(&table[..count])
}

fn not_signed(error: SignError) -> HttpError {
    unexpected(format!("the request cannot be signed: {error}"))
}

fn unexpected(problem: impl ToString) -> HttpError {
    HttpError::Unsendable(problem.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::aws_chunked::Framing;
    use super::super::endpoint::EndpointOptions;
    use super::super::ops::{CustomerKey, GetObject};
    use super::*;

    /// Source of the values: `printf abc | sha256sum`, and the Amazon S3 API reference.
    #[test]
    fn a_signature_says_of_a_body_what_it_is_asked_to() {
        let said = |bytes: &[u8], framing, is_signed: bool| {
            let sent = SentSum { framing, ..SentSum::default() };
            let body = BodyInfo::of_bytes(bytes.len(), sent, is_signed.then_some(bytes));
            assert_eq!(body.bytes, bytes.len() as u64);
            String::from_utf8(body.hash.as_bytes().to_vec()).unwrap()
        };
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let of_none = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(said(b"abc", None, false), "UNSIGNED-PAYLOAD");
        assert_eq!(said(b"abc", None, true), of_abc);
        for signing in [false, true] {
            assert_eq!(said(b"", None, signing), of_none);
            let framing = Some(Framing { trailer: None, is_signed: true });
            assert_eq!(said(b"abc", framing, signing), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        }
    }

    /// SEC-1
    #[test]
    fn a_key_of_the_customer_goes_where_nobody_can_read_it() {
        let mut get = GetObject::new("object");
        let write = |get: &GetObject, url: &str| {
            let options = EndpointOptions { url: Some(url.to_owned()), ..Default::default() };
            let endpoint = Endpoint::resolve("bucket", &options).unwrap();
            let now = Timestamp::from_unix_seconds(0);
            let caller = Caller {
                endpoint: &endpoint,
                host: "host",
                credentials: None,
                now,
                expect_bytes_min: None,
                takes_bodies: false,
            };
            let body = BodyInfo::of(&Payload::None);
            Scratch::default().write_head(&mut [0; 4096], get, &body, caller).map(drop)
        };
        assert!(write(&get, "http://s3.example").is_ok());
        get.customer_key = Some(CustomerKey::new([7; 32]));
        assert!(write(&get, "https://s3.example").is_ok());
        assert!(write(&get, "http://localhost:9000").is_ok());
        let refused = write(&get, "http://s3.example").unwrap_err().to_string();
        assert!(refused.contains("SSE-C") && refused.contains("https://"), "{refused}");
    }
}
