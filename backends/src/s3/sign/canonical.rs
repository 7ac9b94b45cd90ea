//! The canonical request: method, path, sorted query, sorted headers and payload hash, written into
//! a sink. Source: Amazon S3 API reference, "Signature Calculations for the Authorization Header",
//! task 1.

use std::cmp::Ordering;

use super::{QUERY_PAIRS_MAX, SIGNED_HEADERS_MAX, SignError, SigningRequest};
use crate::s3::encode::{ByteSink, encode_query, encoded_query_bytes};

pub(super) fn write_canonical(
    request: &SigningRequest<'_>,
    order: &HeaderOrder,
    sink: &mut impl ByteSink,
) -> Result<(), SignError> {
    sink.put(request.method.as_bytes());
    sink.put(b"\n");
    sink.put(request.path);
    sink.put(b"\n");
    write_canonical_query(request.query, sink)?;
    sink.put(b"\n");
    write_canonical_headers(request.headers, order, sink);
    sink.put(b"\n");
    write_header_names(request.headers, order, sink);
    sink.put(b"\n");
    sink.put(request.payload.as_bytes());
    Ok(())
}

fn write_canonical_query(
    pairs: &[(&str, &str)],
    sink: &mut impl ByteSink,
) -> Result<(), SignError> {
    let order = Order::<QUERY_PAIRS_MAX>::sorted(pairs.len(), |a, b| {
        let (key_a, value_a) = pairs[a];
        let (key_b, value_b) = pairs[b];
        encoded_query_bytes(key_a)
            .cmp(encoded_query_bytes(key_b))
            .then_with(|| encoded_query_bytes(value_a).cmp(encoded_query_bytes(value_b)))
    })
    .ok_or(SignError::TooManyQueryPairs { count: pairs.len() })?;
    for (written, position) in order.iter().enumerate() {
        let (key, value) = pairs[position];
        if written > 0 {
            sink.put(b"&");
        }
        encode_query(key.as_bytes(), sink);
        sink.put(b"=");
        encode_query(value.as_bytes(), sink);
    }
    Ok(())
}

/// `name:value` a line; the values of a name given twice are joined by commas in the order given.
fn write_canonical_headers(
    headers: &[(&str, &[u8])],
    order: &HeaderOrder,
    sink: &mut impl ByteSink,
) {
    let mut last = None;
    for position in order.0.iter() {
        let (name, value) = headers[position];
        if last == Some(name) {
            sink.put(b",");
        } else {
            if last.is_some() {
                sink.put(b"\n");
            }
            sink.put(name.as_bytes());
            sink.put(b":");
        }
        write_header_value(value, sink);
        last = Some(name);
    }
    sink.put(b"\n");
}

/// Blanks at both ends are dropped, runs of spaces inside become one.
pub(super) fn write_header_value(value: &[u8], sink: &mut impl ByteSink) {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let first = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !blank(byte)).map_or(first, |last| last + 1);
    let mut rest = &value[first..end];
    while let Some(run) = rest.windows(2).position(|pair| pair == b"  ") {
        let (head, tail) = rest.split_at(run + 1);
        sink.put(head);
        let spaces = tail.iter().take_while(|&&byte| byte == b' ').count();
        rest = &tail[spaces..];
    }
    sink.put(rest);
}

pub(super) fn write_header_names(
    headers: &[(&str, &[u8])],
    order: &HeaderOrder,
    sink: &mut impl ByteSink,
) {
    let mut last = None;
    for position in order.0.iter() {
        let name = headers[position].0;
        if last == Some(name) {
            continue;
        }
        if last.is_some() {
            sink.put(b";");
        }
        sink.put(name.as_bytes());
        last = Some(name);
    }
}

/// The headers of a request by name, those of one name in the order given.
pub(super) struct HeaderOrder(Order<SIGNED_HEADERS_MAX>);

impl HeaderOrder {
    pub(super) fn of(request: &SigningRequest<'_>) -> Result<HeaderOrder, SignError> {
        HeaderOrder::of_headers(request.headers)
    }

    pub(super) fn of_headers(headers: &[(&str, &[u8])]) -> Result<HeaderOrder, SignError> {
        let lower = |name: &str| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase());
        if let Some((name, _)) = headers.iter().find(|(name, _)| !lower(name)) {
            return Err(SignError::HeaderName { name: (*name).to_owned() });
        }
        Order::sorted(headers.len(), |a, b| headers[a].0.cmp(headers[b].0))
            .map(HeaderOrder)
            .ok_or(SignError::TooManyHeaders { count: headers.len() })
    }
}

/// Positions 0 to `len` in sorted order, on the stack; equal ones keep the order given.
struct Order<const MAX: usize> {
    positions: [u8; MAX],
    len: usize,
}

impl<const MAX: usize> Order<MAX> {
    /// Nothing when there are more than `MAX`, which is at most 256.
    fn sorted(len: usize, compare: impl Fn(usize, usize) -> Ordering) -> Option<Order<MAX>> {
        const { assert!(MAX <= 256) };
        let mut positions = [0; MAX];
        let used = positions.get_mut(..len)?;
        for (position, slot) in used.iter_mut().enumerate() {
            *slot = position as u8;
        }
        // The stable sort of the standard library allocates; comparing positions last makes this
        // one stable.
        used.sort_unstable_by(|&a, &b| compare(a.into(), b.into()).then(a.cmp(&b)));
        Some(Order { positions, len })
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.positions[..self.len].iter().map(|&position| position.into())
    }
}
