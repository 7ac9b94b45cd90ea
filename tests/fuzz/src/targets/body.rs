//! Bodies: neither the pieces in which one arrives nor the way they are taken changes its bytes or its
//! end (DATA-2).

use hydrant::http1::body::{BodyEvent, BodyState, ChunkLimits};
use hydrant::http1::response::BodyFraming;

/// What came of a body.
#[derive(Debug, PartialEq)]
struct Came {
    bytes: Vec<u8>,
    /// Of all that arrived, how much was not the body's.
    left: usize,
    is_done: bool,
    failed: bool,
    closed_well: bool,
}

pub fn run(data: &[u8]) {
    let [kind, piece, data @ ..] = data else { return };
    let framing = match kind % 4 {
        0 => BodyFraming::Length(u64::from(kind / 4)),
        1 => BodyFraming::UntilClose,
        _ => BodyFraming::Chunked,
    };
    let piece = usize::from(*piece).max(1);
    let at_once = receive(framing, data, data.len(), false);
    assert_eq!(at_once, receive(framing, data, piece, false));
    assert_eq!(at_once, receive(framing, data, piece, true));
    match framing {
        BodyFraming::Length(bytes) => {
            let expected = data.len().min(bytes as usize);
            assert_eq!(at_once.bytes, data[..expected]);
            assert_eq!(at_once.is_done, expected == bytes as usize);
        }
        BodyFraming::UntilClose => assert!(at_once.bytes == data && at_once.closed_well),
        _ => assert!(at_once.bytes.len() + 5 <= data.len() || !at_once.is_done),
    }
    assert!(!at_once.failed || !at_once.closed_well);
}

/// Receives the pieces through a buffer; `is_straight` has known bytes go past it, into their place.
fn receive(framing: BodyFraming, data: &[u8], piece: usize, is_straight: bool) -> Came {
    let mut body = BodyState::new(framing, true, ChunkLimits::default());
    let mut bytes = Vec::new();
    let mut left = data.len();
    let mut failed = false;
    'all: for mut input in data.chunks(piece.max(1)) {
        while !input.is_empty() && !body.is_done() {
            let direct = usize::try_from(body.direct_bytes()).unwrap_or(usize::MAX);
            let taken = if is_straight && direct > 0 {
                let taken = direct.min(input.len());
                body.advance(taken as u64).expect("so many were asked for");
                bytes.extend_from_slice(&input[..taken]);
                taken
            } else {
                match body.feed(input) {
                    Ok(BodyEvent::Data(range)) => {
                        assert!(range.start <= range.end && range.end <= input.len());
                        bytes.extend_from_slice(&input[range.clone()]);
                        range.end
                    }
                    Ok(BodyEvent::NeedMore) => input.len(),
                    Ok(BodyEvent::End { consumed }) => {
                        assert!(body.is_done());
                        consumed
                    }
                    Err(_) => {
                        failed = true;
                        break 'all;
                    }
                }
            };
            assert!(taken <= input.len());
            input = &input[taken..];
            left -= taken;
        }
    }
    let is_done = body.is_done();
    assert!(!failed || !body.reusable(), "a connection that broke its framing is not used again");
    let closed_well = !failed && body.on_close().is_ok();
    if failed {
        left = 0;
    }
    Came { bytes, left, is_done, failed, closed_well }
}
