//! A program with a loop of its own: it waits for one descriptor of the engine beside its own, and
//! takes turns of the core in between.
//!
//! `cargo run -p hydrant-engine --example caller_driven`

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hydrant_engine::{Engine, Error, Pace};
use rustix::event::{PollFd, PollFlags, poll};

/// Waits until one of both is readable.
fn wait_for(one: &impl AsFd, other: &impl AsFd) {
    let mut both = [PollFd::new(one, PollFlags::IN), PollFd::new(other, PollFlags::IN)];
    poll(&mut both, None).expect("two descriptors of ours");
}

/// Runs it.
pub fn main() -> Result<(), Error> {
    let mut driven = Engine::builder().pool_bytes(8 << 20).start_here()?;
    // What else the loop has to do: here, words that another thread says now and then.
    let (mut ear, mut mouth) = UnixStream::pair().expect("a pair of sockets");
    ear.set_nonblocking(true).expect("a socket");
    let speaker = std::thread::spawn(move || {
        for word in ["one ", "two ", "three"] {
            std::thread::sleep(Duration::from_millis(3));
            mouth.write_all(word.as_bytes()).expect("somebody listens");
        }
    });
    let task = driven.engine().on_core(0, |core| async move {
        for _ in 0..4 {
            core.sleep(Duration::from_millis(2)).await;
        }
        "four naps"
    })?;
    let mut heard = String::new();
    while !task.is_finished() || heard != "one two three" {
        let pace = driven.run_once(Some(Duration::ZERO))?;
        let mut word = [0; 16];
        while let Ok(bytes @ 1..) = ear.read(&mut word) {
            heard.push_str(&String::from_utf8_lossy(&word[..bytes]));
        }
        let over = heard == "one two three" && task.is_finished();
        if pace == Pace::Wait && !over {
            wait_for(&driven, &ear);
        }
    }
    speaker.join().expect("it said all its words");
    println!("heard {heard:?}, and the engine took {}", task.wait()?);
    driven.stop()
}
