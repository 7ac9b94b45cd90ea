//! Servers in trouble, connections that end, and a process that has no room for more of them.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hydrant::Class;
use hydrant_tests::{PART, Peer, World, client_with, noise, program, read_all, wait_until};

use super::{locate, object, whole};

#[test]
fn a_server_in_trouble_is_asked_again() {
    for trouble in [
        "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\noh!",
        "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
    ] {
        let peer = Peer::start(move |seen, wire| {
            if seen.number < 2 {
                return wire.send(trouble.as_bytes());
            }
            whole(seen, wire, b"fine")
        });
        let (_hydrant, at) = object(&peer);
        assert_eq!(read_all(&at).expect("asked again"), b"fine");
        assert_eq!(peer.seen().len(), 3, "{trouble}");
    }
}

#[test]
fn tries_have_an_end() {
    let peer =
        Peer::start(|_, wire| wire.send(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"));
    let (_hydrant, at) = object(&peer);
    assert_eq!(read_all(&at).expect_err("in trouble for ever").class(), Class::Temporary);
    assert_eq!(peer.seen().len(), 5);
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_replaced_in_silence() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let peer = Peer::start(move |seen, wire| {
        count.fetch_add(1, SeqCst);
        whole(seen, wire, b"body")?;
        // Says nothing of closing, and closes.
        wire.close();
        Ok(())
    });
    let (_hydrant, at) = object(&peer);
    for number in 1..20 {
        assert_eq!(at.store.get_range(&at.key, 0..4).wait().expect("in silence"), b"body"[..]);
        // Nobody was told that a connection was found dead: each answer is to one request.
        assert_eq!(served.load(SeqCst), number);
    }
}

/// The answer to nothing would be taken for that to the next request: an upload that never was, for one.
#[test]
fn what_comes_without_a_request_is_no_answer_to_the_next() {
    let strays = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&strays);
    let peer = Peer::start(move |seen, wire| {
        if seen.connection > 0 {
            return wire.send(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n");
        }
        whole(seen, wire, b"body")?;
        // The client has its answer by now, as a rule; if not, this comes behind it.
        std::thread::sleep(Duration::from_millis(50));
        let sent = wire.send(b"HTTP/1.1 200 OK\r\nETag: \"stray\"\r\nContent-Length: 0\r\n\r\n");
        count.fetch_add(1, SeqCst);
        sent
    });
    let hydrant = client_with(&peer.url(), |builder| builder.cores(1));
    let at = locate(&hydrant);
    assert_eq!(at.store.get_range(&at.key, 0..4).wait().expect("an answer"), b"body"[..]);
    wait_until("the stray answer is there", || strays.load(SeqCst) == 1);
    let put = at.store.put(&at.key, hydrant::Bytes::from_static(b"new")).wait();
    assert_eq!(put.expect_err("nobody has taken it").class(), Class::Temporary);
    let first = peer.seen().iter().filter(|seen| seen.connection == 0).count();
    assert_eq!(first, 1, "the connection was not used again");
}

#[test]
fn a_connection_that_is_closed_as_a_request_arrives_is_replaced_in_silence() {
    // Takes the second request of each connection, and closes without a word.
    let served = std::sync::Mutex::new(Vec::new());
    let peer = Peer::start(move |seen, wire| {
        let mut served = served.lock().expect("no panic");
        if served.contains(&seen.connection) {
            wire.close();
            return Ok(());
        }
        served.push(seen.connection);
        drop(served);
        whole(seen, wire, b"body")
    });
    let hydrant = client_with(&peer.url(), |builder| {
        // A single try for what is a failure: a stale connection is none.
        builder.cores(1).s3(|s3| s3.retry.tries_max = 2)
    });
    let at = locate(&hydrant);
    for _ in 0..10 {
        assert_eq!(at.store.get_range(&at.key, 0..4).wait().expect("in silence"), b"body"[..]);
    }
}

/// A process that may open so few files that connections or files fail in mid transfer: it says so, or does
/// with what it has; it never hangs, and leaves nothing half done.
#[test]
fn a_process_without_descriptors_says_so_or_does_with_fewer() {
    let world = World::new();
    let data = noise(1, 6 * PART + 1);
    std::fs::write(world.object("object"), &data).expect("written");
    let uri = world.uri("s3", "object");
    let (mut refused, mut carried_out) = (0, 0);
    for limit in (8..40).step_by(2) {
        let to = world.file("copy");
        let copy = program(
            &world,
            &["cp", &uri, &to.display().to_string(), "--part-size", "5MiB", "--connections", "6"],
        );
        // A limit of the whole process, so it is not set in this one.
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]);
        limited.arg(copy.get_program()).args(copy.get_args());
        for (name, value) in copy.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        let output = limited.stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            assert!(std::fs::read(&to).expect("a copy") == data, "{limit}");
            std::fs::remove_file(&to).expect("removed");
            carried_out += 1;
        } else {
            assert!(said.contains("Too many open files"), "{limit}: {said}");
            assert_eq!(world.files(), 0, "{limit}: {said}");
            refused += 1;
        }
    }
    assert!(refused > 0 && carried_out > 0, "{refused} refused, {carried_out} carried out");
}
