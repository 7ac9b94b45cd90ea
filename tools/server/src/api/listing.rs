//! Listings of objects.

use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use super::buckets::owner;
use super::objects::signed;
use super::{Answer, Api};
use crate::store::{Entry, ListQuery, Listing, after, past};

impl Api {
    pub(super) async fn list_v2(&self, input: ListObjectsV2Input) -> Answer<ListObjectsV2Output> {
        let keys_max = self.keys_max(input.max_keys)?;
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => read_token(token)?,
            (None, Some(key)) => after(key),
            (None, None) => Vec::new(),
        };
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let query = ListQuery { prefix, delimiter, from, keys_max };
        let bucket = input.bucket.clone();
        let listing = self.blocking(move |store| store.list(&bucket, &query)).await?;
        let next = listing.next.as_deref().map(write_token);
        let (objects, prefixes) = lines(listing, encoding, input.fetch_owner == Some(true));
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            key_count: i32::try_from(objects.len() + prefixes.len()).ok(),
            max_keys: i32::try_from(keys_max).ok(),
            is_truncated: Some(next.is_some()),
            contents: Some(objects),
            common_prefixes: Some(prefixes),
            prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|text| encoding.apply(text)),
            start_after: input.start_after.map(|text| encoding.apply(text)),
            continuation_token: input.continuation_token,
            next_continuation_token: next,
            encoding_type: input.encoding_type,
            request_charged: None,
        }))
    }

    pub(super) async fn list_v1(&self, input: ListObjectsInput) -> Answer<ListObjectsOutput> {
        let keys_max = self.keys_max(input.max_keys)?;
        let encoding = Encoding::of(input.encoding_type.as_ref())?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        // The marker may be a common prefix of the page before, which stands for all its keys.
        let from = match &input.marker {
            Some(marker) if !delimiter.is_empty() && marker.ends_with(&delimiter) => past(marker),
            Some(marker) => after(marker),
            None => Vec::new(),
        };
        let query = ListQuery { prefix, delimiter, from, keys_max };
        let bucket = input.bucket.clone();
        let listing = self.blocking(move |store| store.list(&bucket, &query)).await?;
        let next =
            listing.next.as_ref().and_then(|_| listing.entries.last()).map(|entry| match entry {
                Entry::Object { key, .. } => key.clone(),
                Entry::CommonPrefix(prefix) => prefix.clone(),
            });
        let (objects, prefixes) = lines(listing, encoding, true);
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            max_keys: i32::try_from(keys_max).ok(),
            is_truncated: Some(next.is_some()),
            contents: Some(objects),
            common_prefixes: Some(prefixes),
            prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|text| encoding.apply(text)),
            marker: input.marker.map(|text| encoding.apply(text)),
            next_marker: next.map(|text| encoding.apply(text)),
            encoding_type: input.encoding_type,
            request_charged: None,
        }))
    }

    pub(super) fn keys_max(&self, asked: Option<i32>) -> S3Result<usize> {
        let most = self.limits.list_keys_max;
        let asked = asked.map(usize::try_from).transpose();
        let asked = asked
            .map_err(|error| s3_error!(error, InvalidArgument, "the page size is negative"))?;
        Ok(asked.unwrap_or(most).min(most))
    }
}

/// How keys are written in an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Encoding {
    Plain,
    /// Percent-encoded, `/` apart; for keys that XML cannot carry.
    Url,
}

impl Encoding {
    pub(super) fn of(asked: Option<&EncodingType>) -> S3Result<Self> {
        match asked.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some(EncodingType::URL) => Ok(Self::Url),
            Some(other) => Err(s3_error!(InvalidArgument, "there is no encoding type {other}")),
        }
    }

    pub(super) fn apply(self, text: String) -> String {
        match self {
            Self::Plain => text,
            Self::Url => text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                        out.push(char::from(byte));
                    }
                    _ => out.push_str(&format!("%{byte:02X}")),
                }
                out
            }),
        }
    }
}

fn lines(
    listing: Listing,
    encoding: Encoding,
    with_owner: bool,
) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for entry in listing.entries {
        match entry {
            Entry::CommonPrefix(prefix) => {
                prefixes.push(CommonPrefix { prefix: Some(encoding.apply(prefix)) })
            }
            Entry::Object { key, size, modified, etag } => objects.push(Object {
                key: Some(encoding.apply(key)),
                size: Some(signed(size)),
                last_modified: Some(modified.into()),
                e_tag: etag.map(ETag::Strong),
                owner: with_owner.then(owner),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Object::default()
            }),
        }
    }
    (objects, prefixes)
}

/// A token is where the next page begins, in hex: any bytes, and nothing that a client would read.
fn write_token(next: &[u8]) -> String {
    crate::store::hex(next)
}

fn read_token(token: &str) -> S3Result<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = token.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is none of this server"))
}
