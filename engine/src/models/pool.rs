//! The allocator and its line: memory that comes back from one thread while others wait for it.

use loom::thread;

use crate::park::block_until;
use crate::pool::{Pool, PoolConfig, TicketFuture, TicketRequest};

use super::model;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const MIB: usize = 1 << 20;

/// All of the share for parts, in one block; mapped once, because a model runs thousands of times.
fn pool() -> Pool {
    let config = PoolConfig {
        pool_bytes: 2 * MIB,
        head_share_bytes: Some(MIB),
        ticket_line_max: 8,
        ..PoolConfig::default()
    };
    Pool::new(config).expect("mapped")
}

fn all(pool: &Pool) -> TicketFuture {
    pool.ticket(TicketRequest { bytes_each: MIB, count: 1, label: "model" })
}

fn half(pool: &Pool) -> TicketFuture {
    pool.ticket(TicketRequest { bytes_each: MIB / 2, count: 1, label: "model" })
}

/// Waits as a thread that is no core does, and lets go of the memory.
fn wait_and_return(ticket: TicketFuture) {
    let mut ticket = pin!(ticket);
    let granted = block_until(None, |cx| ticket.as_mut().poll(cx));
    drop(granted.expect("no deadline").expect("it fits").take().expect("one block"));
}

/// POOL-2, and nobody is left in the line.
fn assert_whole(pool: &Pool) {
    let stats = pool.stats();
    assert_eq!((stats.free_bytes, stats.waiting_tickets), (stats.total_bytes, 0), "{stats:?}");
}

#[test]
fn a_ticket_that_waits_gets_what_comes_back() {
    model(|| {
        let pool = pool();
        let lease = pool.try_lease(MIB, "model").expect("free");
        let ticket = all(&pool);
        let returning = thread::spawn(move || drop(lease));
        wait_and_return(ticket);
        returning.join().expect("no panic");
        assert_whole(&pool);
    });
}

#[test]
fn tickets_of_two_threads_are_granted_in_turn() {
    model(|| {
        let pool = pool();
        let lease = pool.try_lease(MIB, "model").expect("free");
        let theirs = pool.clone();
        let other = thread::spawn(move || wait_and_return(all(&theirs)));
        let ticket = half(&pool);
        drop(lease);
        wait_and_return(ticket);
        other.join().expect("no panic");
        assert_whole(&pool);
    });
}

/// Whoever gives up passes on what was granted in the meantime.
#[test]
fn one_that_gives_up_does_not_keep_its_grant() {
    model(|| {
        let pool = pool();
        let lease = pool.try_lease(MIB, "model").expect("free");
        let mut gives_up = Box::pin(all(&pool));
        assert!(poll_once(gives_up.as_mut()).is_pending());
        let waits = all(&pool);
        let giving_up = thread::spawn(move || drop(gives_up));
        let returning = thread::spawn(move || drop(lease));
        wait_and_return(waits);
        giving_up.join().expect("no panic");
        returning.join().expect("no panic");
        assert_whole(&pool);
    });
}

/// The mistake: a future that is leaked instead of dropped takes its grant with it.
#[test]
#[should_panic(expected = "deadlock")]
fn one_that_is_forgotten_keeps_its_grant() {
    model(|| {
        let pool = pool();
        let lease = pool.try_lease(MIB, "model").expect("free");
        let mut forgotten = Box::pin(all(&pool));
        assert!(poll_once(forgotten.as_mut()).is_pending());
        let waits = all(&pool);
        let forgetting = thread::spawn(move || std::mem::forget(forgotten));
        drop(lease);
        wait_and_return(waits);
        forgetting.join().expect("no panic");
    });
}

/// The mistake: to wait with a waker that the line does not know.
#[test]
#[should_panic(expected = "deadlock")]
fn a_waker_that_is_not_handed_on_is_never_woken() {
    model(|| {
        let pool = pool();
        let lease = pool.try_lease(MIB, "model").expect("free");
        let mut ticket = Box::pin(all(&pool));
        let returning = thread::spawn(move || drop(lease));
        drop(block_until(None, |_| poll_once(ticket.as_mut())));
        returning.join().expect("no panic");
    });
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
