//! Heads at every cut, and every shape that is refused.

use proptest::prelude::*;

use super::*;
use crate::http1::request::Method;

const GET_206: &[u8] = b"HTTP/1.1 206 Partial Content\r\n\
    Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
    x-amz-request-id:  0123 \r\n\
    X-Amz-Id-2: abc=\r\n\
    ETag: \"e-2\"\r\n\
    last-modified: Thu, 01 Jan 1970 00:00:09 GMT\r\n\
    Content-Range: bytes 0-7/20\r\n\
    Content-Length: 8\r\n\
    Empty:\r\n\
    \r\n";

fn complete(raw: &[u8]) -> Result<ResponseHead<'_>, HeadError> {
    match parse_head(raw, &HeadLimits::default())? {
        HeadProgress::Complete { head, head_len } => {
            assert_eq!(head_len, raw.len());
            let again = head.facts().over(raw);
            assert!(again.headers().eq(head.headers()) && again.status() == head.status());
            assert_eq!(again.body_framing(Method::Get), head.body_framing(Method::Get));
            Ok(again)
        }
        HeadProgress::Partial => panic!("no end found in {:?}", raw.escape_ascii().to_string()),
    }
}

/// A head of one line more than the status line of a 200.
fn with(lines: &str) -> Result<ResponseHead<'static>, HeadError> {
    complete(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").leak().as_bytes())
}

fn refusal(raw: &[u8]) -> HeadError {
    parse_head(raw, &HeadLimits::default()).expect_err("refused")
}

#[test]
fn the_fields_of_a_ranged_get() {
    let head = complete(GET_206).unwrap();
    assert_eq!((head.status(), head.version_minor()), (206, 1));
    assert!(head.is_success() && !head.is_interim() && head.keep_alive());
    assert_eq!(head.headers().count(), 8);
    assert_eq!(head.get("empty"), Some(&b""[..]));
    assert_eq!(head.get("absent"), None);
    assert_eq!(head.request_id(), Some("0123"));
    assert_eq!(head.host_id(), Some("abc="));
    assert_eq!(head.etag(), Ok(Some("\"e-2\"")));
    assert_eq!(head.text("last-modified"), Ok(Some("Thu, 01 Jan 1970 00:00:09 GMT")));
    assert_eq!(head.text("DATE"), Ok(Some("Sun, 06 Nov 1994 08:49:37 GMT")));
    assert_eq!(head.content_length(), Some(8));
    let range = head.content_range().unwrap().unwrap();
    assert_eq!(range.total(), Some(20));
    assert_eq!(head.text("retry-after"), Ok(None));
    assert_eq!(head.body_framing(Method::Get), BodyFraming::Length(8));
}

#[test]
fn body_framing_by_method_and_status() {
    let table = [
        (Method::Get, "200 OK", "Content-Length: 5\r\n", BodyFraming::Length(5)),
        (Method::Get, "200 OK", "Transfer-Encoding: Chunked\r\n", BodyFraming::Chunked),
        (Method::Get, "200 OK", "", BodyFraming::UntilClose),
        (Method::Put, "500 no", "Content-Length: 0\r\n", BodyFraming::Length(0)),
        (Method::Head, "200 OK", "Content-Length: 5\r\n", BodyFraming::None),
        (Method::Head, "200 OK", "Transfer-Encoding: chunked\r\n", BodyFraming::None),
        (Method::Head, "404 Not Found", "", BodyFraming::None),
        (Method::Delete, "204 No Content", "", BodyFraming::None),
        (Method::Get, "304 Not Modified", "Content-Length: 5\r\n", BodyFraming::None),
        (Method::Put, "100 Continue", "", BodyFraming::None),
        (Method::Put, "103 Early Hints", "Content-Length: 5\r\n", BodyFraming::None),
    ];
    for (method, status, lines, expected) in table {
        let raw = format!("HTTP/1.1 {status}\r\n{lines}\r\n");
        let head = complete(raw.as_bytes()).unwrap();
        assert_eq!(head.body_framing(method), expected, "{method:?} {raw:?}");
    }
}

#[test]
fn persistence() {
    let table = [
        ("HTTP/1.1 200 OK", "", true),
        ("HTTP/1.1 200 OK", "Connection: close\r\n", false),
        ("HTTP/1.1 200 OK", "Connection: x , CLOSE\r\n", false),
        ("HTTP/1.1 200 OK", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("HTTP/1.1 200 OK", "Connection: closed\r\n", true),
        ("HTTP/1.0 200 OK", "", false),
        ("HTTP/1.0 200 OK", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0 200 OK", "Connection: keep-alive, close\r\n", false),
        ("HTTP/1.1 204 No Content", "Content-Length: 0\r\n", true),
        ("HTTP/1.1 204 No Content", "Content-Length: 1\r\n", false),
        ("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked\r\n", false),
        ("HTTP/1.1 304 Not Modified", "Content-Length: 1\r\n", true),
    ];
    for (status_line, lines, expected) in table {
        let raw = format!("{status_line}\r\n{lines}\r\n");
        assert_eq!(complete(raw.as_bytes()).unwrap().keep_alive(), expected, "{raw:?}");
    }
}

#[test]
fn content_lengths_that_are_not_one_plain_number_are_refused() {
    for value in [
        "+5",
        "-5",
        "5, 5",
        "5,",
        "5 5",
        "0x5",
        "5.0",
        "",
        "five",
        "5;",
        "\u{665}",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        let head = with(&format!("Content-Length: {value}\r\n"));
        assert_eq!(head.map(|_| ()), Err(HeadError::BadContentLength), "{value:?}");
    }
    let head = with("Content-Length: 18446744073709551615\r\n").unwrap();
    assert_eq!(head.body_framing(Method::Get), BodyFraming::Length(u64::MAX));
}

#[test]
fn smuggling_shapes_are_refused() {
    let table = [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", HeadError::RepeatedContentLength),
        ("Content-Length: 5\r\ncontent-length: 5\r\n", HeadError::RepeatedContentLength),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            HeadError::LengthWithTransferEncoding,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            HeadError::LengthWithTransferEncoding,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            HeadError::RepeatedTransferEncoding,
        ),
        ("Transfer-Encoding: gzip\r\n", HeadError::UnsupportedTransferCoding),
        ("Transfer-Encoding: identity\r\n", HeadError::UnsupportedTransferCoding),
        ("Transfer-Encoding: gzip, chunked\r\n", HeadError::UnsupportedTransferCoding),
        ("Transfer-Encoding: chunked, gzip\r\n", HeadError::UnsupportedTransferCoding),
        ("Transfer-Encoding: chunked, chunked\r\n", HeadError::UnsupportedTransferCoding),
        ("Transfer-Encoding: chunked;q=1\r\n", HeadError::UnsupportedTransferCoding),
        ("Transfer-Encoding:\r\n", HeadError::UnsupportedTransferCoding),
        ("Transfer-Encoding : chunked\r\n", HeadError::BadHeaderName),
        ("Content-Length\t: 5\r\n", HeadError::BadHeaderName),
        ("no colon\r\n", HeadError::BadHeaderName),
        (": no name\r\n", HeadError::BadHeaderName),
        ("n\u{e4}me: v\r\n", HeadError::BadHeaderName),
        ("a: b\u{1}c\r\n", HeadError::BadHeaderValue),
        ("a: b\u{7f}c\r\n", HeadError::BadHeaderValue),
    ];
    for (lines, expected) in table {
        assert_eq!(with(lines).map(|_| ()), Err(expected), "{lines:?}");
    }
    let http10 = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refusal(http10), HeadError::TransferEncodingInHttp10);
}

#[test]
fn line_ends_and_line_starts_are_strict() {
    let table: [(&[u8], HeadError); 12] = [
        (b"HTTP/1.1 200 OK\n", HeadError::BareLf { offset: 15 }),
        (b"HTTP/1.1 200 OK\r\nA: b\n", HeadError::BareLf { offset: 21 }),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\n", HeadError::BareLf { offset: 23 }),
        (b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n", HeadError::BareCr { offset: 21 }),
        (b"HTTP/1.1 200 OK\r\nA: b\r\r\n", HeadError::BareCr { offset: 21 }),
        (b"HTTP/1.1 200 OK\r\n\rA", HeadError::BareCr { offset: 17 }),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n c", HeadError::ObsFold { offset: 23 }),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\tc", HeadError::ObsFold { offset: 23 }),
        (b"HTTP/1.1 200 OK\r\n A: b\r\n", HeadError::ObsFold { offset: 17 }),
        (b"HTTP/1.1 200 OK\r\nA: b\0\r\n", HeadError::Nul { offset: 21 }),
        (b"HTTP/1.1 200 O\0K\r\n", HeadError::Nul { offset: 14 }),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", HeadError::NotHttp1),
    ];
    for (raw, expected) in table {
        assert_eq!(refusal(raw), expected, "{}", raw.escape_ascii());
    }
}

#[test]
fn status_lines_that_are_refused() {
    let table = [
        ("SSH-2.0-OpenSSH", HeadError::NotHttp1),
        ("\u{15}\u{3}\u{3}", HeadError::NotHttp1),
        ("HTTP/2.0 200 OK\r\n\r\n", HeadError::NotHttp1),
        ("http/1.1 200 OK\r\n\r\n", HeadError::NotHttp1),
        ("HTTP/1.2 200 OK\r\n\r\n", HeadError::BadStatusLine),
        ("HTTP/1.1 20 OK\r\n\r\n", HeadError::BadStatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", HeadError::BadStatusLine),
        ("HTTP/1.1 +20 OK\r\n\r\n", HeadError::BadStatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n", HeadError::BadStatusLine),
        ("HTTP/1.1\t200 OK\r\n\r\n", HeadError::BadStatusLine),
        ("HTTP/1.1 200 O\u{1}K\r\n\r\n", HeadError::BadStatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n", HeadError::BadStatus(99)),
        ("HTTP/1.1 600 OK\r\n\r\n", HeadError::BadStatus(600)),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", HeadError::UnexpectedUpgrade),
    ];
    for (raw, expected) in table {
        assert_eq!(refusal(raw.as_bytes()), expected, "{raw:?}");
    }
    for accepted in
        ["HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 \r\n\r\n", "HTTP/1.0 200 ok\u{e4}\r\n\r\n"]
    {
        assert_eq!(complete(accepted.as_bytes()).unwrap().status(), 200);
    }
}

#[test]
fn limits_hold_exactly() {
    let raw = b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n";
    let limits = HeadLimits { head_bytes_max: raw.len(), headers_max: 2, interim_heads_max: 1 };
    assert!(matches!(parse_head(raw, &limits), Ok(HeadProgress::Complete { .. })));

    let smaller = HeadLimits { head_bytes_max: raw.len() - 1, ..limits };
    let too_large = HeadError::TooLarge { limit_bytes: raw.len() - 1 };
    assert_eq!(parse_head(raw, &smaller).unwrap_err(), too_large);
    assert_eq!(parse_head(&raw[..raw.len() - 1], &smaller).unwrap_err(), too_large);

    let fewer = HeadLimits { headers_max: 1, ..limits };
    assert_eq!(parse_head(raw, &fewer).unwrap_err(), HeadError::TooManyHeaders { limit: 1 });
}

#[test]
fn the_table_holds_as_many_headers_as_any_limit_allows() {
    let limits = HeadLimits { headers_max: usize::MAX, ..HeadLimits::default() };
    let head_of = |headers: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(headers));
    let progress = |headers| parse_head(head_of(headers).leak().as_bytes(), &limits);
    assert!(matches!(progress(HEADERS_CAP), Ok(HeadProgress::Complete { .. })));
    let refused = progress(HEADERS_CAP + 1).unwrap_err();
    assert_eq!(refused, HeadError::TooManyHeaders { limit: HEADERS_CAP });
}

#[test]
fn interim_heads_are_skipped_up_to_their_limit() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let both = [&interim[..], &interim[..], GET_206].concat();
    let parse_all = |interim_heads_max| {
        let limits = HeadLimits { interim_heads_max, ..HeadLimits::default() };
        let (mut parser, mut at) = (HeadParser::new(limits), 0);
        loop {
            match parser.parse(&both[at..])? {
                HeadProgress::Complete { head, head_len } if head.is_interim() => {
                    at += head_len;
                    parser.skip_interim()?;
                }
                HeadProgress::Complete { head, .. } => return Ok(head.status()),
                HeadProgress::Partial => panic!("all of it is there"),
            }
        }
    };
    assert_eq!(parse_all(2), Ok(206));
    assert_eq!(parse_all(1), Err(HeadError::TooManyInterimHeads { limit: 1 }));
}

#[test]
fn repeated_or_unreadable_fields_are_errors_of_their_own() {
    let head = with("ETag: \"a\"\r\nETag: \"b\"\r\nContent-Range: bytes 1-0/9\r\n").unwrap();
    assert_eq!(head.etag(), Err(FieldError::Repeated { name: "ETag" }));
    let value = "bytes 1-0/9".to_owned();
    assert_eq!(head.content_range(), Err(FieldError::Malformed { name: "Content-Range", value }));
    let head = complete(b"HTTP/1.1 200 OK\r\nETag: \xff\r\n\r\n").unwrap();
    assert_eq!(head.etag(), Err(FieldError::NotText { name: "ETag" }));
}

#[test]
fn debug_shows_no_values() {
    let head = with("Set-Cookie: canary\r\n").unwrap();
    let shown = format!("{head:?} {:?}", head.headers());
    assert!(shown.contains("Set-Cookie") && !shown.contains("canary"), "{shown}");
}

/// Gives the bytes to one parser piece by piece; the pieces end at `cuts`.
fn in_pieces<'a>(raw: &'a [u8], cuts: &[usize]) -> Result<HeadProgress<'a>, HeadError> {
    let mut parser = HeadParser::new(HeadLimits::default());
    for &cut in cuts {
        if let done @ HeadProgress::Complete { .. } = parser.parse(&raw[..cut])? {
            return Ok(done);
        }
    }
    parser.parse(raw)
}

#[test]
fn every_split_position_gives_the_same_head() {
    let raw = [GET_206, b"the body"].concat();
    for cut in 0..GET_206.len() {
        assert!(matches!(in_pieces(&raw[..cut], &[]), Ok(HeadProgress::Partial)), "{cut}");
        let Ok(HeadProgress::Complete { head, head_len }) = in_pieces(&raw, &[cut]) else {
            panic!("not complete after a cut at {cut}");
        };
        assert_eq!(head_len, GET_206.len());
        assert_eq!(head.headers().count(), 8);
    }
}

fn outcome(progress: Result<HeadProgress<'_>, HeadError>) -> Result<Option<String>, HeadError> {
    progress.map(|p| match p {
        HeadProgress::Partial => None,
        HeadProgress::Complete { head, head_len } => Some(format!("{head_len} {head:?}")),
    })
}

/// Bytes that look like a head often enough to reach every branch.
fn headlike() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => Just(b"\r\n".to_vec()),
        2 => Just(b"Content-Length: 12\r\n".to_vec()),
        2 => Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        2 => Just(b"Connection: close\r\n".to_vec()),
        6 => "[a-z-]{1,9}: ?[ -~]{0,9}\r\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..4),
        1 => "[a-z]{1,9}: ?[ -~\r\n\t\u{0}]{0,9}\r\n".prop_map(String::into_bytes),
    ];
    let start = prop_oneof![
        8 => Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    (start, prop::collection::vec(piece, 0..8))
        .prop_map(|(start, pieces)| [start, pieces.concat()].concat())
}

proptest! {
    #[test]
    fn cuts_change_nothing(raw in headlike(), cuts in prop::collection::vec(0.0..1.0f64, 0..6)) {
        let mut cuts: Vec<_> = cuts.iter().map(|c| (c * raw.len() as f64) as usize).collect();
        cuts.sort_unstable();
        prop_assert_eq!(outcome(in_pieces(&raw, &cuts)), outcome(in_pieces(&raw, &[])));
        // Byte by byte nothing is skipped, so that each is looked at.
        let all: Vec<_> = (1..raw.len()).collect();
        prop_assert_eq!(outcome(in_pieces(&raw, &all)), outcome(in_pieces(&raw, &[])));
    }

    #[test]
    fn arbitrary_bytes_never_panic(raw in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = outcome(in_pieces(&raw, &[]));
    }

    /// A field is found by its name in any case, and one that is not there is not, as by a walk.
    #[test]
    fn a_name_finds_what_a_walk_finds(raw in headlike(), other in "[a-zA-Z-]{1,9}") {
        let Ok(HeadProgress::Complete { head, .. }) = in_pieces(&raw, &[]) else {
            return Ok(());
        };
        let there = head.headers().map(|(name, _)| name.to_ascii_uppercase());
        for name in there.chain([other]) {
            let same = |it: &(&str, &[u8])| it.0.eq_ignore_ascii_case(&name);
            prop_assert_eq!(head.get(&name), head.headers().find(same).map(|(_, value)| value));
        }
    }

    /// Two readers of one head must never differ: our lines are the grammar's lines.
    #[test]
    fn lines_are_what_httparse_saw(raw in headlike()) {
        let Ok(HeadProgress::Complete { head, head_len }) = in_pieces(&raw, &[]) else {
            return Ok(());
        };
        let mut table = [httparse::EMPTY_HEADER; HEADERS_CAP];
        let mut peer = httparse::Response::new(&mut table);
        prop_assert_eq!(peer.parse(&raw), Ok(httparse::Status::Complete(head_len)));
        let theirs: Vec<_> = peer.headers.iter().map(|h| (h.name, h.value)).collect();
        prop_assert_eq!(head.headers().collect::<Vec<_>>(), theirs);
    }
}
