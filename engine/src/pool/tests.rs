//! The line of tickets and the limit, as users of the pool see them; and what the room's other
//! tests share.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

pub(super) const KIB: usize = 1 << 10;
pub(super) const MIB: usize = 1 << 20;

/// The wait of tests that must not wait for ever.
const LONG: Duration = Duration::from_secs(60);

/// 8 MiB, of which 7 MiB are for parts and 1 MiB for heads.
pub(super) fn pool() -> Pool {
    pool_with(|_| {})
}

pub(super) fn pool_with(change: impl FnOnce(&mut PoolConfig)) -> Pool {
    let mut config = PoolConfig {
        pool_bytes: 8 * MIB,
        head_share_bytes: Some(MIB),
        ticket_line_max: 64,
        ..PoolConfig::default()
    };
    change(&mut config);
    Pool::new(config).expect("mapped")
}

pub(super) fn request(bytes_each: usize, count: usize) -> TicketRequest {
    TicketRequest { bytes_each, count, label: "part" }
}

pub(super) fn lease(pool: &Pool, bytes: usize) -> Lease {
    pool.try_lease(bytes, "part").expect("free")
}

/// Whether `check` holds in a forked child. The child does nothing else and never returns from it.
pub(super) fn in_child(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: FORK-1. The child only runs `check`, which is kept to what a child of a process with
    // threads may do, and leaves without running destructors of the parent's.
    unsafe {
        match libc::fork() {
            0 => {
                let held = catch_unwind(AssertUnwindSafe(check)).unwrap_or(false);
                libc::_exit(i32::from(!held));
            }
            child => {
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
            }
        }
    }
}

pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn is_pending(future: &mut TicketFuture) -> bool {
    poll_once(future).is_pending()
}

fn granted(future: &mut TicketFuture) -> Ticket {
    match poll_once(future) {
        Poll::Ready(answer) => answer.expect("granted"),
        Poll::Pending => panic!("still waiting"),
    }
}

fn refused(mut future: TicketFuture) -> PoolError {
    match poll_once(&mut future) {
        Poll::Ready(answer) => answer.expect_err("refused"),
        Poll::Pending => panic!("waiting"),
    }
}

#[test]
fn handles_cross_threads_and_are_small() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Pool>();
    crosses::<Lease>();
    crosses::<Region>();
    crosses::<Buf>();
    crosses::<Ticket>();
    crosses::<TicketFuture>();
    assert!(size_of::<Lease>() <= 32);
    assert!(size_of::<Buf>() <= 40);
    assert!(size_of::<TicketFuture>() <= 128);
}

#[test]
fn a_ticket_grants_all_its_blocks_or_none() {
    let pool = pool();
    let held = lease(&pool, 2 * MIB);
    let mut waiting = pool.ticket(request(MIB, 6));
    assert!(is_pending(&mut waiting));
    assert_eq!(pool.stats().lent_bytes, 2 * MIB, "5 blocks were free and none is taken");
    drop(held);
    let mut ticket = granted(&mut waiting);
    let leases: Vec<Lease> = std::iter::from_fn(|| ticket.take()).collect();
    assert_eq!((leases.len(), ticket.remaining()), (6, 0));
    assert_eq!(pool.stats().lent_bytes, 6 * MIB);
    drop(leases);
    assert_eq!(pool.stats().lent_bytes, 0);
}

#[test]
fn nobody_overtakes() {
    let pool = pool();
    let held = lease(&pool, 4 * MIB);
    let mut large = pool.ticket(request(7 * MIB, 1));
    let mut small = pool.ticket(request(4 * KIB, 1));
    assert!(is_pending(&mut large) && is_pending(&mut small));
    assert!(pool.try_lease(4 * KIB, "part").is_none(), "there is room, but others wait");
    assert!(pool.head(4 * KIB).is_some(), "heads never wait behind parts");
    drop(held);
    let large = granted(&mut large);
    assert!(is_pending(&mut small));
    drop(large);
    assert_eq!(granted(&mut small).remaining(), 1);
    assert_eq!(pool.stats().waits, 2);
}

#[test]
fn whether_heads_are_waited_for_can_be_asked() {
    let pool = pool();
    let held = pool.head(MIB).expect("free");
    let mut parts = pool.ticket(request(7 * MIB, 1));
    drop(granted(&mut parts));
    assert!(!pool.heads_are_waited_for());
    let mut first = pool.head_ticket(request(4 * KIB, 1));
    let second = pool.head_ticket(request(4 * KIB, 1));
    assert!(pool.heads_are_waited_for());
    assert!(in_child(|| !pool.heads_are_waited_for()));
    drop(second);
    assert!(pool.heads_are_waited_for());
    drop(held);
    assert!(!pool.heads_are_waited_for());
    drop(granted(&mut first));
    let leaving = (pool.head(MIB), pool.head_ticket(request(4 * KIB, 1)));
    assert!(pool.heads_are_waited_for());
    drop(leaving.1);
    assert!(!pool.heads_are_waited_for(), "who leaves waits no more");
}

#[test]
fn who_gives_up_does_not_block_the_line() {
    let pool = pool();
    let held = lease(&pool, 4 * MIB);
    let mut first = pool.ticket(request(7 * MIB, 1));
    let mut second = pool.ticket(request(MIB, 1));
    let mut third = pool.ticket(request(MIB, 1));
    assert!(is_pending(&mut first) && is_pending(&mut second) && is_pending(&mut third));
    drop(second);
    drop(first);
    assert_eq!(granted(&mut third).remaining(), 1);
    drop(held);
    assert_eq!(pool.stats().waiting_tickets, 0);
}

#[test]
fn a_grant_that_nobody_collects_returns() {
    let pool = pool();
    let held = lease(&pool, 7 * MIB);
    let uncollected = pool.ticket(request(7 * MIB, 1));
    let mut next = pool.ticket(request(MIB, 5));
    drop(held);
    assert!(is_pending(&mut next));
    drop(uncollected);
    assert_eq!(granted(&mut next).remaining(), 5);
}

#[test]
fn what_never_fits_is_refused_at_once() {
    let pool = pool();
    let too_large = |asked| PoolError::TooLarge { asked, pool: 7 * MIB };
    assert_eq!(refused(pool.ticket(request(8 * MIB, 1))), too_large(8 * MIB));
    assert_eq!(refused(pool.ticket(request(MIB, 8))), too_large(8 * MIB));
    assert_eq!(refused(pool.ticket(request(usize::MAX, 2))), too_large(usize::MAX));
    // Two runs of 3 MiB + 4 KiB start at 0 and 4 MiB; the second would end behind 7 MiB.
    assert_eq!(pool.capacity_for(3 * MIB + 4 * KIB), 1);
    assert!(pool.try_lease(8 * MIB, "part").is_none());
    assert!(granted(&mut pool.ticket(request(MIB, 7))).remaining() == 7);
}

#[test]
fn the_line_has_a_limit() {
    let pool = pool_with(|config| config.ticket_line_max = 2);
    let held = lease(&pool, 7 * MIB);
    let line = [(); 2].map(|()| pool.ticket(request(MIB, 1)));
    assert_eq!(refused(pool.ticket(request(MIB, 1))), PoolError::LineFull { limit: 2 });
    drop(line);
    assert!(is_pending(&mut pool.ticket(request(MIB, 1))));
    drop(held);
}

#[test]
fn an_exhausted_pool_names_the_holders() {
    let pool = pool();
    let _upload = pool.try_lease(MIB, "upload").expect("free");
    let _reader = pool.try_lease(4 * MIB, "reader").expect("free");
    let asked = TicketRequest { bytes_each: 4 * MIB, count: 1, label: "copy" };
    let error = pool.ticket(asked).wait_blocking(Duration::from_millis(20)).expect_err("held");
    assert_eq!(error, pool.exhausted_error(&asked));
    let text = error.to_string();
    for expected in ["`copy`", "asked 4194304", "2097152 free", "`reader` 4194304, `upload` 1048"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert_eq!(pool.stats().waiting_tickets, 0, "it left the line");
}

#[test]
fn a_ticket_shrinks_once_the_size_is_known() {
    let pool = pool();
    let mut ticket = granted(&mut pool.ticket(request(MIB, 7)));
    let taken = ticket.take().expect("seven");
    let mut next = pool.ticket(request(768 * KIB, 6));
    assert!(is_pending(&mut next));
    ticket.shrink_each(256 * KIB - 1);
    assert_eq!(pool.stats().lent_bytes, MIB + 6 * 256 * KIB, "a hole of 768 KiB is not aligned");
    assert_eq!(ticket.take().expect("six").capacity(), 256 * KIB);
    assert_eq!(taken.capacity(), MIB);
    drop((ticket, taken));
    assert_eq!(granted(&mut next).remaining(), 6);
}

#[test]
fn a_configuration_without_sense_is_refused() {
    let config = |pool_bytes, head_share_bytes| PoolConfig {
        pool_bytes,
        head_share_bytes,
        ..PoolConfig::default()
    };
    for config in [
        config(0, None),
        config(usize::MAX, None),
        config(2 * MIB, Some(2 * MIB)),
        config(2 * MIB, Some(usize::MAX)),
        PoolConfig { ticket_line_max: 0, ..PoolConfig::default() },
    ] {
        assert!(matches!(Pool::new(config), Err(PoolError::Config { .. })));
    }
}

#[test]
fn a_child_is_told_and_disturbs_nothing() {
    let pool = pool();
    let mut lease = lease(&pool, 6 * MIB);
    lease.set_len(3);
    let ticket = granted(&mut pool.ticket(request(MIB, 1)));
    let waiting = pool.ticket(request(MIB, 1));
    let before = pool.stats();
    let held = (pool, lease, ticket, waiting);
    let shared = Mutex::new(Some(held));
    assert!(in_child(|| {
        let (pool, mut lease, ticket, waiting) =
            shared.lock().expect("one thread").take().expect("there");
        let told = lease.as_slice().is_empty()
            && lease.as_mut_slice().is_empty()
            && pool.stats() == PoolStats::default()
            && pool.try_lease(1, "part").is_none()
            && refused(pool.ticket(request(1, 1))) == PoolError::Forked
            && refused(waiting) == PoolError::Forked;
        lease.shrink_to(1);
        let frozen = lease.freeze();
        drop((frozen, ticket, pool));
        told
    }));
    let (pool, lease, ticket, waiting) = shared.into_inner().expect("unpoisoned").expect("there");
    assert_eq!(pool.stats(), before);
    assert_eq!(lease.as_slice(), [0; 3]);
    drop((lease, ticket, waiting));
    assert_eq!(pool.stats().free_bytes, 8 * MIB);
}

/// Writes down a ticket's number when it is woken.
struct Log {
    number: usize,
    log: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Log {
    fn wake(self: Arc<Self>) {
        self.log.lock().expect("unpoisoned").push(self.number);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Request { units: usize, count: usize },
    Cancel(prop::sample::Index),
    Collect(prop::sample::Index),
    DropTicket(prop::sample::Index),
    Take(prop::sample::Index),
    ShrinkEach(prop::sample::Index, usize),
    DropLease(prop::sample::Index),
    ShrinkLease(prop::sample::Index, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => (1..700usize, 1..7usize).prop_map(|(units, count)| Step::Request { units, count }),
        1 => index().prop_map(Step::Cancel),
        4 => index().prop_map(Step::Collect),
        2 => index().prop_map(Step::DropTicket),
        4 => index().prop_map(Step::Take),
        1 => (index(), 0..300usize).prop_map(|(at, units)| Step::ShrinkEach(at, units)),
        4 => index().prop_map(Step::DropLease),
        1 => (index(), 0..300usize).prop_map(|(at, units)| Step::ShrinkLease(at, units)),
    ]
}

/// What a random walk holds.
#[derive(Default)]
struct Held {
    line: Vec<(usize, TicketFuture)>,
    tickets: Vec<Ticket>,
    leases: Vec<Lease>,
    /// Numbers of the granted, in the order of the grants.
    log: Arc<Mutex<Vec<usize>>>,
    requests: usize,
}

impl Held {
    fn apply(&mut self, pool: &Pool, step: Step) {
        match step {
            Step::Request { units, count } => {
                let future = pool.ticket(request(units * 4 * KIB, count));
                self.poll(self.requests, future);
                self.requests += 1;
            }
            Step::Cancel(at) => drop(pick(&mut self.line, at)),
            Step::Collect(at) => {
                if let Some((number, future)) = pick(&mut self.line, at) {
                    let log_before = self.log.lock().expect("unpoisoned").clone();
                    self.poll(number, future);
                    // A ticket is logged when it is woken, so collecting it adds nothing.
                    *self.log.lock().expect("unpoisoned") = log_before;
                }
            }
            Step::DropTicket(at) => drop(pick(&mut self.tickets, at)),
            Step::Take(at) => {
                if let Some(mut ticket) = pick(&mut self.tickets, at) {
                    self.leases.extend(ticket.take());
                    self.tickets.push(ticket);
                }
            }
            Step::ShrinkEach(at, units) => {
                if !self.tickets.is_empty() {
                    let at = at.index(self.tickets.len());
                    self.tickets[at].shrink_each(units * 4 * KIB);
                }
            }
            Step::DropLease(at) => drop(pick(&mut self.leases, at)),
            Step::ShrinkLease(at, units) => {
                if !self.leases.is_empty() {
                    let at = at.index(self.leases.len());
                    self.leases[at].shrink_to(units * 4 * KIB);
                }
            }
        }
    }

    fn poll(&mut self, number: usize, mut future: TicketFuture) {
        let waker = Waker::from(Arc::new(Log { number, log: Arc::clone(&self.log) }));
        match Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => self.line.push((number, future)),
            Poll::Ready(Ok(ticket)) => {
                self.log.lock().expect("unpoisoned").push(number);
                self.tickets.push(ticket);
            }
            Poll::Ready(Err(PoolError::TooLarge { .. } | PoolError::LineFull { .. })) => {}
            Poll::Ready(Err(error)) => panic!("{error}"),
        }
    }
}

fn pick<T>(list: &mut Vec<T>, at: prop::sample::Index) -> Option<T> {
    (!list.is_empty()).then(|| list.swap_remove(at.index(list.len())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn grants_come_in_the_order_of_requests(steps in prop::collection::vec(step(), 1..150)) {
        let pool = pool();
        let mut held = Held::default();
        for step in steps {
            held.apply(&pool, step);
            let stats = pool.stats();
            prop_assert_eq!(stats.free_bytes + stats.lent_bytes, stats.total_bytes, "POOL-2");
            let leased: usize = held.leases.iter().map(Lease::capacity).sum();
            prop_assert!(leased <= stats.lent_bytes);
            let log = held.log.lock().expect("unpoisoned");
            prop_assert!(log.is_sorted_by(|a, b| a < b), "{log:?}");
        }
        // Whoever still waits is served once the others have given back what they hold.
        held.line.sort_by_key(|(number, _)| *number);
        held.tickets.clear();
        held.leases.clear();
        for (_, mut future) in held.line.drain(..) {
            prop_assert!(granted(&mut future).remaining() > 0);
        }
        prop_assert_eq!(pool.stats().free_bytes, 8 * MIB);
    }
}

#[test]
fn threads_are_served_in_the_order_of_their_requests() {
    let pool = pool();
    let held = lease(&pool, 7 * MIB);
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..16 {
            // Each needs all there is, so what it writes down is written before the next grant.
            let future = pool.ticket(request(7 * MIB, 1));
            let order = &order;
            scope.spawn(move || {
                let ticket = future.wait_blocking(LONG).expect("granted");
                order.lock().expect("unpoisoned").push(number);
                drop(ticket);
            });
        }
        drop(held);
    });
    assert_eq!(order.into_inner().expect("unpoisoned"), (0..16).collect::<Vec<_>>());
}

#[test]
fn threads_share_the_pool_without_loss_or_overlap() {
    const THREADS: u8 = 4;
    const ROUNDS: usize = 400;
    let pool = pool();
    let start = Barrier::new(usize::from(THREADS));
    let gave_up = AtomicUsize::new(0);
    thread::scope(|scope| {
        for me in 1..=THREADS {
            let (pool, start, gave_up) = (&pool, &start, &gave_up);
            scope.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let mix = round.wrapping_mul(0x9E37_79B9).wrapping_add(usize::from(me) * 77);
                    let request = request((mix % 256 + 1) * 4 * KIB, mix / 7 % 5 + 1);
                    let mut future = pool.ticket(request);
                    if mix.is_multiple_of(5) {
                        match poll_once(&mut future) {
                            Poll::Ready(ticket) => use_blocks(ticket.expect("granted"), me),
                            Poll::Pending => _ = gave_up.fetch_add(1, Ordering::Relaxed),
                        }
                    } else {
                        use_blocks(future.wait_blocking(LONG).expect("granted"), me);
                    }
                }
            });
        }
    });
    let stats = pool.stats();
    assert_eq!((stats.free_bytes, stats.waiting_tickets), (8 * MIB, 0));
    let granted_or_given_up = stats.tickets_granted as usize + gave_up.into_inner();
    assert!(granted_or_given_up >= usize::from(THREADS) * ROUNDS);
}

/// Marks the ends of each block and finds its own marks again.
fn use_blocks(mut ticket: Ticket, mark: u8) {
    let mut leases: Vec<Lease> = std::iter::from_fn(|| ticket.take()).collect();
    for lease in &mut leases {
        let last = lease.capacity() - 1;
        lease.as_mut_slice()[0] = mark;
        lease.as_mut_slice()[last] = mark;
    }
    thread::yield_now();
    for lease in &mut leases {
        let last = lease.capacity() - 1;
        assert_eq!((lease.as_mut_slice()[0], lease.as_mut_slice()[last]), (mark, mark));
        lease.shrink_to(last / 2 + 1);
    }
}
