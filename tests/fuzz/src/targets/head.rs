//! Heads of answers: what comes in pieces is read as what comes at once, interim answers included.

use hydrant::http1::request::Method;
use hydrant::http1::response::{
    BodyFraming, HeadLimits, HeadParser, HeadProgress, ResponseHead, parse_head,
};

pub fn run(data: &[u8]) {
    let mut rest = data;
    let mut parser = HeadParser::new(HeadLimits::default());
    while let Some((is_interim, head_len)) = one(&mut parser, rest) {
        rest = &rest[head_len..];
        if !is_interim || parser.skip_interim().is_err() {
            return;
        }
    }
}

/// Reads one head; whether it is interim, and its length.
fn one(parser: &mut HeadParser, data: &[u8]) -> Option<(bool, usize)> {
    let at_once = parse_head(data, &HeadLimits::default());
    let steps = (0..=data.len()).filter(|at| at % 7 == 0 || data.len() < 64 || *at == data.len());
    for end in steps {
        match parser.parse(&data[..end]) {
            Ok(HeadProgress::Partial) => {}
            Ok(HeadProgress::Complete { head, head_len }) => {
                let Ok(HeadProgress::Complete { head: whole, head_len: whole_len }) = &at_once
                else {
                    panic!("a head in pieces, and none at once");
                };
                assert!(head_len <= end && head_len == *whole_len);
                assert_eq!(look(&head), look(whole));
                return Some((head.is_interim(), head_len));
            }
            // Bytes to come do not mend it.
            Err(_) => {
                assert!(at_once.is_err());
                return None;
            }
        }
    }
    assert!(!matches!(at_once, Ok(HeadProgress::Complete { .. })));
    None
}

/// Everything that is asked of a head.
fn look(head: &ResponseHead<'_>) -> (u16, BodyFraming, bool, usize) {
    let _ = (head.content_length(), head.etag(), head.request_id(), head.host_id());
    if let Ok(Some(range)) = head.content_range() {
        let _ = range.total();
    }
    for name in head.headers().map(|(name, _)| name) {
        assert!(head.get(name).is_some());
    }
    assert_eq!(head.body_framing(Method::Head), BodyFraming::None);
    (head.status(), head.body_framing(Method::Get), head.keep_alive(), head.headers().count())
}
