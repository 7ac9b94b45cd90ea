//! What one core keeps for one endpoint of a store: connections, the pace of requests, and what it has
//! learnt of the server; and what all endpoints of the store have in common.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, UNIX_EPOCH};

use hydrant_engine::Core;

use super::clock::Clock;
use super::credentials::{Credentials, CredentialsError, Held, Identity};
use super::endpoint::Endpoint;
use super::first_byte::FirstByte;
use super::ops::{InvalidRequest, Operation};
use super::pace::Pace;
use super::request::{BodyInfo, Caller, Scratch};
use super::retry::RetryBudget;
use super::store::Shared;
use super::time::Timestamp;
use crate::http1::request::Method;
use crate::http1::{ConnectionPool, HttpError, Origin, RequestHead};

/// What one core keeps for one endpoint.
pub(super) struct PerCore {
    pub(super) connections: ConnectionPool,
    pub(super) endpoint: Endpoint,
    host: String,
    common: Rc<Common>,
    pub(super) pace: RefCell<Pace>,
    pub(super) first_byte: RefCell<FirstByte>,
    /// Bodies of so many bytes and more may wait for `100 Continue`.
    expect_bytes_min: Option<u64>,
    /// One of them was taken that had been asked for, and none was refused since it was.
    takes_bodies: Cell<bool>,
    /// How many were refused.
    refused_bodies: Cell<u64>,
}

/// What one core keeps for all endpoints of a store: memory for heads, the budget of retries, and
/// credentials.
#[derive(Default)]
pub(super) struct Common {
    scratch: RefCell<Scratch>,
    /// Memory of the last document, for the next.
    document: Cell<Vec<u8>>,
    /// What a provider gave this core last, so that a request asks nobody while it is fresh.
    held: RefCell<Option<Held>>,
    budget: RefCell<RetryBudget>,
    /// The last credentials that were refused without a word.
    doubted: RefCell<Option<Doubted>>,
    clock: Rc<Clock>,
    /// A server has shown that it does not say `100 Continue`: the others will not, either.
    expects_no_more: Cell<bool>,
    /// Objects that are read in order.
    in_order: Cell<usize>,
}

struct Doubted {
    which: Weak<Credentials>,
    /// When they were, or when there were no others.
    at: Instant,
    /// The provider was asked for others, and has none.
    in_vain: bool,
}

impl Doubted {
    /// Whether the provider is being asked because of these.
    fn is_about(&self, which: &Arc<Credentials>) -> bool {
        self.which.as_ptr() == Arc::as_ptr(which) && !self.in_vain
    }
}

impl Common {
    /// The provider is asked before the next attempt. What is held stays: another attempt may be about
    /// to sign with it.
    fn ask_again(&self) {
        if let Some(held) = &mut *self.held.borrow_mut() {
            held.fresh_until = Timestamp::from_unix_seconds(0);
        }
    }
}

/// One of the objects that may be read in order at a time.
pub(super) struct InOrderPlace(Rc<Common>);

impl Drop for InOrderPlace {
    fn drop(&mut self) {
        self.0.in_order.set(self.0.in_order.get() - 1);
    }
}

impl PerCore {
    pub(super) fn new(shared: &Shared, endpoint: Endpoint, common: &Rc<Common>) -> PerCore {
        let origin = Origin {
            host: endpoint.connect_host().to_owned(),
            port: endpoint.port(),
            #[cfg(feature = "tls")]
            tls: shared.tls.as_ref().map(hydrant_engine::TlsConfig::with_own_sessions),
        };
        let connections = shared.config.http.connections_per_core_max;
        PerCore {
            connections: ConnectionPool::new(origin, shared.config.http.clone()),
            host: endpoint.host_header(),
            endpoint,
            common: Rc::clone(common),
            pace: RefCell::new(Pace::new(shared.config.pace, connections)),
            first_byte: RefCell::new(FirstByte::new(shared.config.first_byte, connections)),
            expect_bytes_min: shared.config.http.expect_continue_bytes_min.map(|min| min.max(1)),
            takes_bodies: Cell::new(false),
            refused_bodies: Cell::new(0),
        }
    }

    /// The same server, asked and signed for as being in another region.
    pub(super) fn in_region(&self, shared: &Shared, region: &str) -> Option<PerCore> {
        let endpoint = self.endpoint.in_region(region).ok()?;
        Some(PerCore::new(shared, endpoint, &self.common))
    }

    /// A place for one more object that is read in order, where fewer than `most` are.
    pub(super) fn place_in_order(&self, most: usize) -> Option<InOrderPlace> {
        let taken = &self.common.in_order;
        (taken.get() < most).then(|| {
            taken.set(taken.get() + 1);
            InOrderPlace(Rc::clone(&self.common))
        })
    }

    /// The retries that the requests to the store may still make.
    pub(super) fn budget(&self) -> RefMut<'_, RetryBudget> {
        self.common.budget.borrow_mut()
    }

    /// Finds out whether an operation can be asked for at all, and by which method.
    pub(super) fn check(&self, operation: &impl Operation) -> Result<Method, InvalidRequest> {
        self.common.scratch.borrow_mut().check(operation)
    }

    /// Sees to it that the next attempt can be signed; tells what with, where a provider gave it.
    pub(super) async fn can_sign(
        &self,
        core: &Core,
        shared: &Shared,
    ) -> Result<Option<Arc<Credentials>>, CredentialsError> {
        let Identity::Provider(provider) = &shared.identity else { return Ok(None) };
        let now = own_clock(core);
        let fresh =
            self.common.held.borrow().as_ref().filter(|held| now < held.fresh_until).cloned();
        let held = match fresh {
            Some(held) => held,
            None => {
                let held = provider.get(core).await?;
                self.common.held.replace(Some(held.clone()));
                held
            }
        };
        Ok(Some(held.credentials))
    }

    /// A server has called these credentials expired; tells whether others can be had.
    pub(super) fn expired(&self, shared: &Shared, which: &Arc<Credentials>) -> bool {
        let Identity::Provider(provider) = &shared.identity else { return false };
        provider.expired(which);
        self.common.ask_again();
        true
    }

    /// Whether a provider may be asked for others than these, which are refused without a word: not
    /// again within a time, unless it was asked because of these.
    pub(super) fn may_renew(&self, core: &Core, which: &Arc<Credentials>, wait: Duration) -> bool {
        self.common.doubted.borrow().as_ref().is_none_or(|doubted| {
            doubted.is_about(which) || core.now().saturating_duration_since(doubted.at) >= wait
        })
    }

    /// Asks the provider for others than these, which serve meanwhile; tells whether there are others.
    pub(super) async fn renew(
        &self,
        core: &Core,
        shared: &Shared,
        which: &Arc<Credentials>,
    ) -> bool {
        let Identity::Provider(provider) = &shared.identity else { return false };
        let doubt = |in_vain| {
            let doubted = Doubted { which: Arc::downgrade(which), at: core.now(), in_vain };
            self.common.doubted.replace(Some(doubted));
        };
        let is_asked = |doubted: &Doubted| doubted.is_about(which);
        if !self.common.doubted.borrow().as_ref().is_some_and(is_asked) {
            doubt(false);
        }
        let is_renewed = provider.renew(core, which).await;
        if !is_renewed {
            doubt(true);
        }
        self.common.ask_again();
        is_renewed
    }

    /// Writes the head of an attempt as of now.
    pub(super) fn write(
        &self,
        core: &Core,
        shared: &Shared,
        operation: &impl Operation,
        body: &BodyInfo,
        out: &mut [u8],
    ) -> Result<RequestHead, HttpError> {
        let held = self.common.held.borrow();
        let credentials = match &shared.identity {
            Identity::Anonymous => None,
            Identity::Keys(keys) => Some(keys),
            // Nobody comes here who has not been told that it can be signed.
            Identity::Provider(_) => Some(&*held.as_ref().ok_or_else(unsigned)?.credentials),
        };
        let caller = Caller {
            endpoint: &self.endpoint,
            host: &self.host,
            credentials,
            now: own_clock(core).shifted(self.common.clock.ahead_s()),
            expect_bytes_min: self.expect_bytes_min.filter(|_| !self.common.expects_no_more.get()),
            takes_bodies: self.takes_bodies.get(),
        };
        self.common.scratch.borrow_mut().write_head(out, operation, body, caller)
    }

    /// Memory for a document; there is some from the last, unless another is being received.
    pub(super) fn document_memory(&self) -> Vec<u8> {
        self.common.document.take()
    }

    /// Keeps it for the next document, if it is no more than allowed.
    pub(super) fn keep_document_memory(&self, memory: Vec<u8>, bytes_max: usize) {
        if memory.capacity() <= bytes_max {
            self.common.document.set(memory);
        }
    }

    /// A request ended in a success, or was refused because there are too many.
    pub(super) fn paced(&self, change: impl FnOnce(&mut Pace)) {
        let mut pace = self.pace.borrow_mut();
        change(&mut pace);
        self.connections.set_lent_max(pace.allowed());
    }

    /// How long the origin is to be left alone yet.
    pub(super) fn held(&self, core: &Core) -> Option<Duration> {
        self.pace.borrow().held(core.now())
    }

    /// Bodies no longer wait for `100 Continue`.
    pub(super) fn stop_expecting(&self) {
        self.common.expects_no_more.set(true);
    }

    /// Whether a body of so many bytes is asked for while it is in doubt that it is wanted.
    pub(super) fn is_large(&self, body_bytes: u64) -> bool {
        self.expect_bytes_min.is_some_and(|min| body_bytes >= min)
    }

    /// How many of those were refused.
    pub(super) fn refused_bodies(&self) -> u64 {
        self.refused_bodies.get()
    }

    /// One was taken that was asked for when so many had been refused.
    pub(super) fn took_body(&self, refused_before: u64) {
        if self.refused_bodies.get() == refused_before {
            self.takes_bodies.set(true);
        }
    }

    /// One was refused.
    pub(super) fn refused_body(&self) {
        self.takes_bodies.set(false);
        self.refused_bodies.set(self.refused_bodies.get() + 1);
    }

    /// What the servers' clock is taken for.
    pub(super) fn clock(&self) -> &Rc<Clock> {
        &self.common.clock
    }
}

fn unsigned() -> HttpError {
    HttpError::Unsendable("no credentials were asked for".to_owned())
}

/// The wall clock of the core.
pub(super) fn own_clock(core: &Core) -> Timestamp {
    let since = core.wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_seconds(since.as_secs())
}
