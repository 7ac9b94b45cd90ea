//! TIME-1: what moves is never killed, however slow; what stalls always is, and gives its buffer
//! back.

use std::time::Duration;

use hydrant_engine::{Buf, Error, RecvMode, Stream, TcpStream};

use crate::host::{Host, LIMIT, check, config, filled, join, lease, memory, on_all};

#[test]
fn a_receive_without_a_byte_stalls() {
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        let stall = Duration::from_millis(50);
        for mode in [RecvMode::Some, RecvMode::Fill] {
            let room = lease(&core, 4096).await;
            let began = core.now();
            let (received, room) = far.recv(room, 0..4096, mode, stall).await;
            let error = received.expect_err("nothing comes").error;
            assert!(matches!(error, Error::Stalled { operation: "recv", .. }), "{error}");
            assert!(core.now() - began >= stall);
            assert_eq!(room.capacity(), 4096, "the buffer comes back");
        }
        // The connection still works.
        let data = filled(&core, 100, 1).await;
        near.send(data, 0..100, false, LIMIT).await.0.expect("sent");
        let room = lease(&core, 4096).await;
        let (received, _) = far.recv(room, 0..100, RecvMode::Fill, LIMIT).await;
        assert_eq!(received.expect("received"), 100);
    });
}

#[test]
fn a_send_that_nobody_reads_stalls_and_its_buffer_comes_back() {
    on_all(|core, place| async move {
        let listener = place.listen();
        let stall = Duration::from_millis(100);
        // The first has a copy if the kernel lacks zero-copy sends; the second is of shared memory.
        for shared in [false, true] {
            let address = listener.local_addr();
            let stream = TcpStream::connect(&core, address, LIMIT).await.expect("connected");
            let data = filled(&core, 16 << 20, 2).await;
            let buf = if shared { Buf::Bytes(data.freeze()) } else { Buf::Lease(data) };
            let sending = stream.send(buf, 0..16 << 20, false, stall);
            let sent = core.timeout(LIMIT, sending).await;
            let (sent, buf) = sent.expect("TIME-1: a send that stalls is killed");
            let error = sent.expect_err("nobody reads");
            assert!(matches!(error, Error::Stalled { operation: "send", .. }), "{error}");
            assert_eq!(buf.len(), 16 << 20);
        }
    });
}

/// A large receive sleeps until much is there; little that arrives is still no stall.
#[test]
fn a_peer_that_sends_little_at_a_time_does_not_stall() {
    const BYTES: usize = 1_400_000;
    const LITTLE: usize = 8_000;
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        let room = lease(&core, BYTES).await;
        let receiving = far.recv(room, 0..BYTES, RecvMode::Fill, Duration::from_secs(1));
        let sending = async {
            let mut buf = Buf::from(filled(&core, BYTES, 3).await);
            let mut sent = 0;
            for _ in 0..5 {
                core.sleep(Duration::from_millis(300)).await;
                buf = near.send(buf, sent..sent + LITTLE, false, LIMIT).await.1;
                sent += LITTLE;
            }
            near.send(buf, sent..BYTES, false, LIMIT).await.0.expect("sent");
        };
        let ((received, mut room), ()) = join(receiving, sending).await;
        assert_eq!(received.expect("it moved all the time"), BYTES);
        check(&memory(&mut room)[..BYTES], 3);
    });
}

/// A piece is told what follows, and its receive sleeps until much of that is there. The last one has nothing
/// behind it, nor has what comes next on the connection.
#[test]
fn pieces_end_with_nothing_behind_them() {
    const PIECE: usize = 1 << 20;
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        let far = Stream::from(far);
        for tail in [0, 1, 50_000, (128 << 10) - 1, 128 << 10, 200_000] {
            let bytes = 2 * PIECE + tail;
            let data = filled(&core, bytes, 4).await;
            let mut room = Buf::from(lease(&core, bytes).await);
            let receiving = async {
                for at in (0..bytes).step_by(PIECE) {
                    let end = bytes.min(at + PIECE);
                    let (piece, following) = (at..end, bytes - end);
                    let mode = RecvMode::Fill;
                    let (received, back) =
                        far.recv_before(room, piece, mode, following, 10 * LIMIT).await;
                    assert_eq!(received.expect("received"), end - at);
                    room = back;
                }
                room
            };
            let both = join(near.send(data, 0..bytes, false, LIMIT), receiving);
            let ((sent, data), mut room) = core.timeout(LIMIT, both).await.expect("it ends");
            assert_eq!(sent.expect("sent"), bytes);
            check(&memory(&mut room)[..bytes], 4);
            near.send(data, 0..1, false, LIMIT).await.0.expect("sent");
            let receiving = far.recv(room, 0..4096, RecvMode::Some, 10 * LIMIT);
            let (received, _) = core.timeout(LIMIT, receiving).await.expect("one byte wakes");
            assert_eq!(received.expect("received"), 1);
        }
    });
}

#[test]
fn what_was_promised_and_does_not_come_takes_nothing_from_what_came() {
    const BYTES: usize = 300_000;
    on_all(|core, place| async move {
        let (near, far) = place.pair(&core).await;
        let far = Stream::from(far);
        let room = Buf::from(lease(&core, BYTES).await);
        let stall = Duration::from_millis(300);
        let receiving = far.recv_before(room, 0..BYTES, RecvMode::Fill, 1 << 20, stall);
        let sending = async {
            let data = filled(&core, BYTES, 5).await;
            let (sent, data) = near.send(data, 0..BYTES - 9_000, false, LIMIT).await;
            sent.expect("sent");
            core.sleep(Duration::from_millis(20)).await;
            near.send(data, BYTES - 9_000..BYTES, false, LIMIT).await.0.expect("sent");
        };
        let ((received, mut room), ()) = join(receiving, sending).await;
        assert_eq!(received.expect("all of it"), BYTES);
        check(&memory(&mut room)[..BYTES], 5);
    });
}

/// What is there is handed out when the peer closes, however little it is.
#[test]
fn a_large_receive_ends_where_the_peer_closes() {
    const ROOM: usize = 2 << 20;
    on_all(|core, place| async move {
        for bytes in [1, 300_000, ROOM - 1] {
            let (near, far) = place.pair(&core).await;
            let room = lease(&core, ROOM).await;
            let receiving = far.recv(room, 0..ROOM, RecvMode::Fill, LIMIT);
            let sending = async {
                let data = filled(&core, bytes, 4).await;
                near.send(data, 0..bytes, false, LIMIT).await.0.expect("sent");
                drop(near);
            };
            let ((received, mut room), ()) = join(receiving, sending).await;
            assert_eq!(received.expect("received"), bytes);
            check(&memory(&mut room)[..bytes], 4);
        }
    });
}

#[test]
fn a_transfer_that_is_slow_but_moves_lives() {
    let mut host = Host::calm(config());
    host.run(|core, place| async move {
        const BYTES: usize = 600_000;
        let stall = Duration::from_secs(1);
        let (near, far) = place.pair(&core).await;
        let began = core.now();
        // One receive of the near end gets a byte now and then; its send is read slowly.
        let data = filled(&core, BYTES, 3).await;
        let room = lease(&core, 4096).await;
        let outgoing = near.send(data, 0..BYTES, false, stall);
        let incoming = near.recv(room, 0..40, RecvMode::Fill, stall);
        let peer = async {
            let mut room = Buf::from(lease(&core, BYTES).await);
            for step in 0..40 {
                core.sleep(Duration::from_millis(900)).await;
                let span = step * (BYTES / 40)..(step + 1) * (BYTES / 40);
                let (got, back) = far.recv(room, span, RecvMode::Fill, LIMIT).await;
                got.expect("received");
                room = back;
                let byte = filled(&core, 1, 4).await;
                far.send(byte, 0..1, false, LIMIT).await.0.expect("sent");
            }
            check(&memory(&mut room)[..BYTES], 3);
        };
        let ((sent, received), ()) = join(join(outgoing, incoming), peer).await;
        assert_eq!(sent.0.expect("it moved"), BYTES);
        assert_eq!(received.0.expect("it moved"), 40);
        assert!(core.now() - began > 30 * stall, "far longer than the limit");
    });
    host.finish();
}

#[test]
fn a_connection_that_nobody_answers_stalls() {
    let mut world = hydrant_engine::sim::SimConfig::calm();
    world.accept_backlog = 1;
    let mut host = Host::simulated(1, world, config());
    host.run(|core, place| async move {
        let listener = place.listen();
        let limit = Duration::from_secs(3);
        let first = TcpStream::connect(&core, listener.local_addr(), limit).await;
        let error = TcpStream::connect(&core, listener.local_addr(), limit).await;
        let error = error.expect_err("the backlog is full");
        assert!(matches!(error, Error::Stalled { operation: "connect", .. }), "{error}");
        drop(first);
    });
    host.finish();
}
