//! Chunk framing at every cut, every refusal, and when a connection may be used again.

use proptest::prelude::*;

use super::*;

/// Decodes `pieces` one after the other: the payload, and whether the end was reached and how many
/// bytes came behind it.
fn decode(limits: ChunkLimits, pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<usize>), BodyError> {
    let mut decoder = ChunkedDecoder::new(limits);
    let (mut payload, mut surplus) = (Vec::new(), None);
    for piece in pieces {
        let mut at = 0;
        loop {
            match decoder.decode(&piece[at..])? {
                BodyEvent::Data(range) => {
                    payload.extend_from_slice(&piece[at + range.start..at + range.end]);
                    at += range.end;
                }
                BodyEvent::NeedMore => break,
                BodyEvent::End { consumed } => {
                    *surplus.get_or_insert(0) += piece.len() - at - consumed;
                    break;
                }
            }
        }
    }
    Ok((payload, surplus))
}

fn decode_whole(raw: &[u8]) -> Result<(Vec<u8>, Option<usize>), BodyError> {
    decode(ChunkLimits::default(), &[raw])
}

#[test]
fn bodies_that_are_accepted() {
    let table: [(&[u8], &[u8]); 6] = [
        (b"0\r\n\r\n", b""),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", b"0123456789x"),
        (b"1;a=\"b c\";d\r\nx\r\n0;last\r\n\r\n", b"x"),
        (b"1\r\nx\r\n0\r\nx-checksum: 1\r\nb: 2\r\n\r\n", b"x"),
    ];
    for (raw, payload) in table {
        assert_eq!(decode_whole(raw), Ok((payload.to_vec(), Some(0))), "{}", raw.escape_ascii());
        for cut in 0..raw.len() {
            let (left, right) = raw.split_at(cut);
            let expected = Ok((payload.to_vec(), Some(0)));
            assert_eq!(decode(ChunkLimits::default(), &[left, right]), expected, "cut at {cut}");
            // A body that is cut short anywhere is not at its end.
            assert!(matches!(decode_whole(left), Ok((_, None))), "cut at {cut}");
        }
    }
}

#[test]
fn bodies_that_are_refused() {
    let table: [(&[u8], BodyError); 22] = [
        (b"\r\n", BodyError::BadChunkSize),
        (b";a\r\n", BodyError::BadChunkSize),
        (b"g\r\n", BodyError::BadChunkSize),
        (b"+5\r\n", BodyError::BadChunkSize),
        (b"-1\r\n", BodyError::BadChunkSize),
        (b"0x5\r\n", BodyError::BadChunkSize),
        (b" 5\r\n", BodyError::BadChunkSize),
        (b"5 \r\n", BodyError::BadChunkSize),
        (b"5\n", BodyError::BadChunkSize),
        (b"5\r\r\n", BodyError::BadChunkLine),
        (b"5;a\n", BodyError::BadChunkLine),
        (b"5;a\rb", BodyError::BadChunkLine),
        (b"5;a\0", BodyError::BadChunkLine),
        (b"10000000000000000\r\n", BodyError::ChunkSizeOverflow),
        (b"FFFFFFFFFFFFFFFF0\r\n", BodyError::ChunkSizeOverflow),
        (b"1\r\nxy", BodyError::MissingChunkEnd),
        (b"1\r\nx\n", BodyError::MissingChunkEnd),
        (b"1\r\nx\rz", BodyError::MissingChunkEnd),
        (b"0\r\na: b\n", BodyError::BadChunkLine),
        (b"0\r\na: b\rc", BodyError::BadChunkLine),
        (b"0\r\n\n", BodyError::BadChunkLine),
        (b"0\r\n\rx", BodyError::BadChunkLine),
    ];
    for (raw, expected) in table {
        assert_eq!(decode_whole(raw), Err(expected), "{}", raw.escape_ascii());
    }
}

#[test]
fn an_error_is_final() {
    let mut decoder = ChunkedDecoder::new(ChunkLimits::default());
    assert_eq!(decoder.decode(b"zz"), Err(BodyError::BadChunkSize));
    assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(BodyError::BadChunkSize));
    assert_eq!(decoder.decode(b""), Err(BodyError::BadChunkSize));
    assert_eq!(decoder.advance_data(0), Err(BodyError::BadChunkSize));
    assert!(!decoder.is_done());
}

#[test]
fn the_largest_chunk_is_accepted() {
    let mut decoder = ChunkedDecoder::new(ChunkLimits::default());
    assert_eq!(decoder.decode(b"ffffffffffffffff\r\n"), Ok(BodyEvent::NeedMore));
    assert_eq!(decoder.remaining_in_chunk(), u64::MAX);
}

#[test]
fn limits_hold_exactly() {
    let limits =
        ChunkLimits { size_line_bytes_max: 4, extension_bytes_max: 5, trailer_bytes_max: 6 };
    let refused = |raw: &[u8]| decode(limits, &[raw]).map(|_| ());
    assert_eq!(refused(b"0001\r\nx\r\n0\r\n\r\n"), Ok(()));
    assert_eq!(refused(b"00001\r\n"), Err(BodyError::ChunkLineTooLong { limit_bytes: 4 }));
    assert_eq!(refused(b"1;abc"), Err(BodyError::ChunkLineTooLong { limit_bytes: 4 }));
    assert_eq!(refused(b"1;ab\r\nx\r\n1;\r\nx\r\n1;\r\nx\r\n0\r\n\r\n"), Ok(()));
    let extensions = BodyError::ExtensionsTooLarge { limit_bytes: 5 };
    assert_eq!(refused(b"1;ab\r\nx\r\n1;\r\nx\r\n1;\r\nx\r\n0;\r\n"), Err(extensions));
    assert_eq!(refused(b"0\r\na:bc\r\n\r\n"), Ok(()));
    let trailers = BodyError::TrailersTooLarge { limit_bytes: 6 };
    assert_eq!(refused(b"0\r\na:bcd\r\n\r\n"), Err(trailers));
}

#[test]
fn payload_can_be_received_into_place() {
    let mut decoder = ChunkedDecoder::new(ChunkLimits::default());
    assert_eq!(decoder.remaining_in_chunk(), 0);
    assert_eq!(decoder.decode(b"a\r\n"), Ok(BodyEvent::NeedMore));
    assert_eq!(decoder.remaining_in_chunk(), 10);
    decoder.advance_data(4).unwrap();
    assert_eq!(decoder.decode(b"56"), Ok(BodyEvent::Data(0..2)));
    decoder.advance_data(4).unwrap();
    assert_eq!(decoder.remaining_in_chunk(), 0);
    assert_eq!(decoder.decode(b"\r\n0\r\n\r\nHTTP"), Ok(BodyEvent::End { consumed: 7 }));
    let past = BodyError::PastEnd { given_bytes: 1, left_bytes: 0 };
    assert_eq!(decoder.advance_data(1), Err(past));
}

fn body(framing: BodyFraming) -> BodyState {
    BodyState::new(framing, true, ChunkLimits::default())
}

#[test]
fn a_body_of_known_length() {
    let mut state = body(BodyFraming::Length(10));
    assert_eq!(state.direct_bytes(), 10);
    assert_eq!(state.feed(b"0123"), Ok(BodyEvent::Data(0..4)));
    assert_eq!(state.feed(b""), Ok(BodyEvent::NeedMore));
    assert!(!state.is_done() && !state.reusable());
    state.advance(5).unwrap();
    assert_eq!((state.direct_bytes(), state.received_bytes), (1, 9));
    assert_eq!(state.feed(b"9"), Ok(BodyEvent::Data(0..1)));
    assert!(state.is_done() && state.reusable());
    assert_eq!(state.feed(b""), Ok(BodyEvent::End { consumed: 0 }));
    assert!(state.reusable());
}

#[test]
fn surplus_bytes_end_the_connection() {
    for framing in [BodyFraming::None, BodyFraming::Length(0)] {
        let mut state = body(framing);
        assert!(state.reusable());
        assert_eq!(state.feed(b"H"), Ok(BodyEvent::End { consumed: 0 }));
        assert!(state.is_done() && !state.reusable());
    }
    let mut state = body(BodyFraming::Length(3));
    assert_eq!(state.feed(b"abcHTTP/1.1"), Ok(BodyEvent::Data(0..3)));
    assert!(state.is_done() && !state.reusable());

    let mut state = body(BodyFraming::Chunked);
    assert_eq!(state.feed(b"0\r\n\r\nH"), Ok(BodyEvent::End { consumed: 5 }));
    assert!(state.is_done() && !state.reusable());
    let mut state = body(BodyFraming::Chunked);
    assert_eq!(state.feed(b"0\r\n\r\n"), Ok(BodyEvent::End { consumed: 5 }));
    assert!(state.reusable());
}

#[test]
fn more_than_the_body_received_into_place_is_an_error() {
    let mut state = body(BodyFraming::Length(3));
    let past = BodyError::PastEnd { given_bytes: 4, left_bytes: 3 };
    assert_eq!(state.advance(4), Err(past));
    assert_eq!(state.feed(b"abc"), Err(past));
    assert!(!state.is_done() && !state.reusable());
}

#[test]
fn a_peer_that_closes() {
    let mut cut = body(BodyFraming::Length(3));
    cut.advance(2).unwrap();
    assert_eq!(cut.on_close(), Err(BodyError::Cut { received_bytes: 2 }));

    let mut cut = body(BodyFraming::Chunked);
    assert_eq!(cut.feed(b"1\r\nx"), Ok(BodyEvent::Data(3..4)));
    assert_eq!(cut.feed(b"\r\n0\r\n"), Ok(BodyEvent::NeedMore));
    assert_eq!(cut.on_close(), Err(BodyError::Cut { received_bytes: 1 }));

    let mut whole = body(BodyFraming::UntilClose);
    assert_eq!(whole.direct_bytes(), u64::MAX);
    assert_eq!(whole.feed(b"abc"), Ok(BodyEvent::Data(0..3)));
    whole.advance(2).unwrap();
    assert!(!whole.is_done());
    assert_eq!(whole.on_close(), Ok(()));
    assert_eq!((whole.received_bytes, whole.direct_bytes()), (5, 0));
    assert!(whole.is_done() && !whole.reusable());

    let mut done = body(BodyFraming::Length(0));
    assert_eq!(done.on_close(), Ok(()));
    assert!(!done.reusable());
}

#[test]
fn a_peer_that_does_not_keep_the_connection() {
    let mut state = BodyState::new(BodyFraming::Length(1), false, ChunkLimits::default());
    state.advance(1).unwrap();
    assert!(state.is_done() && !state.reusable());
}

#[test]
fn a_framing_error_ends_the_connection() {
    let mut state = body(BodyFraming::Chunked);
    assert_eq!(state.feed(b"1\r\nxy"), Ok(BodyEvent::Data(3..4)));
    assert_eq!(state.feed(b"y"), Err(BodyError::MissingChunkEnd));
    assert_eq!(state.on_close(), Err(BodyError::MissingChunkEnd));
    assert!(!state.is_done() && !state.reusable());
}

fn encode(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut raw = Vec::new();
    for chunk in chunks {
        raw.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        raw.extend_from_slice(chunk);
        raw.extend_from_slice(b"\r\n");
    }
    raw.extend_from_slice(b"0\r\n\r\n");
    raw
}

/// Cuts `raw` into pieces whose sizes go round through `sizes`.
fn pieces<'a>(mut raw: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &size in sizes.iter().cycle() {
        let (piece, rest) = raw.split_at(size.min(raw.len()));
        pieces.push(piece);
        raw = rest;
        if raw.is_empty() {
            break;
        }
    }
    pieces
}

/// Drives a `BodyState` as a connection does: fed from a small buffer, or received into place, by
/// turns.
fn drive(mut raw: &[u8], sizes: &[usize]) -> Result<(Vec<u8>, bool), BodyError> {
    let (mut state, mut payload) = (body(BodyFraming::Chunked), Vec::new());
    for (turn, &size) in sizes.iter().cycle().enumerate() {
        if raw.is_empty() || state.is_done() {
            break;
        }
        let size = size.min(raw.len());
        let direct = (state.direct_bytes().min(size as u64)) as usize;
        if turn % 2 == 0 && direct > 0 {
            payload.extend_from_slice(&raw[..direct]);
            state.advance(direct as u64)?;
            raw = &raw[direct..];
            continue;
        }
        raw = match state.feed(&raw[..size])? {
            BodyEvent::Data(range) => {
                payload.extend_from_slice(&raw[range.clone()]);
                &raw[range.end..]
            }
            BodyEvent::NeedMore => &raw[size..],
            BodyEvent::End { consumed } => &raw[consumed..],
        };
    }
    assert_eq!(state.received_bytes, payload.len() as u64);
    Ok((payload, state.is_done()))
}

fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6)
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..24, 1..6)
}

/// Bytes that look like chunk framing often enough to get far.
fn chunklike() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => prop::sample::select(&b"0123;\r\n\r\n"[..]), 1 => any::<u8>()];
    prop::collection::vec(byte, 0..60)
}

proptest! {
    #[test]
    fn what_was_chunked_comes_back(chunks in chunks(), sizes in sizes()) {
        let raw = encode(&chunks);
        let expected = chunks.concat();
        let decoded = decode(ChunkLimits::default(), &pieces(&raw, &sizes));
        prop_assert_eq!(decoded, Ok((expected.clone(), Some(0))));
        prop_assert_eq!(drive(&raw, &sizes), Ok((expected, true)));
    }

    #[test]
    fn cuts_change_nothing(raw in chunklike(), sizes in sizes()) {
        let in_pieces = decode(ChunkLimits::default(), &pieces(&raw, &sizes));
        prop_assert_eq!(in_pieces, decode_whole(&raw));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        raw in prop::collection::vec(any::<u8>(), 0..200),
        sizes in sizes(),
    ) {
        let _ = drive(&raw, &sizes);
    }
}
