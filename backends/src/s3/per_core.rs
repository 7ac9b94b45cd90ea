//! What one core keeps for one store: connections, memory for heads, the budget of retries, and what
//! it has learnt of the server.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hydrant_engine::Core;

use super::credentials::{Credentials, CredentialsError, Held, Identity};
use super::endpoint::Endpoint;
use super::ops::{InvalidRequest, Operation};
use super::pace::Pace;
use super::request::{BodyInfo, Caller, Scratch};
use super::retry::RetryBudget;
use super::store::Shared;
use super::time::Timestamp;
use crate::http1::{ConnectionPool, HttpError, Origin, RequestHead};

/// What one core keeps for one store.
pub(super) struct PerCore {
    pub(super) connections: ConnectionPool,
    pub(super) endpoint: Endpoint,
    host: String,
    scratch: RefCell<Scratch>,
    /// What a provider gave this core last, so that a request asks nobody while it is fresh.
    held: RefCell<Option<Held>>,
    pub(super) budget: RefCell<RetryBudget>,
    pub(super) pace: RefCell<Pace>,
    /// Bodies of so many bytes and more wait for `100 Continue`; `None` once the server has shown that
    /// it does not say so.
    expect_bytes_min: Cell<Option<u64>>,
    /// What the server's clock is ahead of ours, in seconds, once it has complained.
    clock_ahead_s: Cell<i64>,
}

/// The stores that one core has worked for; those that are gone are swept out on the next look-up.
#[derive(Default)]
struct Stores(RefCell<Vec<(std::sync::Weak<Shared>, Rc<PerCore>)>>);

impl PerCore {
    pub(super) fn of(core: &Core, shared: &Arc<Shared>) -> Rc<PerCore> {
        let stores = core.local(Stores::default);
        let mut stores = stores.0.borrow_mut();
        stores.retain(|(store, _)| store.strong_count() > 0);
        let found = stores.iter().find(|(store, _)| std::ptr::eq(store.as_ptr(), &**shared));
        if let Some((_, per_core)) = found {
            return Rc::clone(per_core);
        }
        let per_core = Rc::new(PerCore::new(shared, shared.endpoint.clone()));
        stores.push((Arc::downgrade(shared), Rc::clone(&per_core)));
        per_core
    }

    fn new(shared: &Shared, endpoint: Endpoint) -> PerCore {
        let origin = Origin {
            host: endpoint.connect_host().to_owned(),
            port: endpoint.port(),
            #[cfg(feature = "tls")]
            tls: shared.tls.as_ref().map(hydrant_engine::TlsConfig::with_own_sessions),
        };
        PerCore {
            connections: ConnectionPool::new(origin, shared.config.http.clone()),
            host: endpoint.host_header(),
            endpoint,
            scratch: RefCell::default(),
            held: RefCell::default(),
            budget: RefCell::default(),
            pace: RefCell::new(Pace::new(
                shared.config.pace,
                shared.config.http.connections_per_core_max,
            )),
            expect_bytes_min: Cell::new(shared.config.http.expect_continue_bytes_min),
            clock_ahead_s: Cell::new(0),
        }
    }

    /// The same for a bucket that turned out to be in another region; all later calls of this core
    /// go there. The name of the host is made from the region, never taken from an answer (SEC-3).
    pub(super) fn in_region(
        self: &Rc<PerCore>,
        core: &Core,
        shared: &Arc<Shared>,
        region: &str,
    ) -> Option<Rc<PerCore>> {
        let stores = core.local(Stores::default);
        let mut stores = stores.0.borrow_mut();
        let known = stores.iter_mut().find(|(store, _)| std::ptr::eq(store.as_ptr(), &**shared));
        let (_, known) = known?;
        if !Rc::ptr_eq(known, self) {
            // Another call has learnt it meanwhile.
            return Some(Rc::clone(known));
        }
        let endpoint = self.endpoint.in_region(region).ok()?;
        let mut moved = PerCore::new(shared, endpoint);
        moved.budget = RefCell::new(self.budget.borrow().clone());
        moved.expect_bytes_min = self.expect_bytes_min.clone();
        moved.clock_ahead_s = self.clock_ahead_s.clone();
        moved.held = self.held.clone();
        *known = Rc::new(moved);
        Some(Rc::clone(known))
    }

    /// Finds out whether an operation can be asked for at all.
    pub(super) fn check(&self, operation: &impl Operation) -> Result<(), InvalidRequest> {
        self.scratch.borrow_mut().check(operation)
    }

    /// Sees to it that the next attempt can be signed; tells what with, where a provider gave it.
    pub(super) async fn can_sign(
        &self,
        core: &Core,
        shared: &Shared,
    ) -> Result<Option<Arc<Credentials>>, CredentialsError> {
        let Identity::Provider(provider) = &shared.identity else { return Ok(None) };
        let now = own_clock(core);
        let fresh = self.held.borrow().as_ref().filter(|held| now < held.fresh_until).cloned();
        let held = match fresh {
            Some(held) => held,
            None => {
                let held = provider.get(core).await?;
                self.held.replace(Some(held.clone()));
                held
            }
        };
        Ok(Some(held.credentials))
    }

    /// A server has called these credentials expired; tells whether others can be had.
    pub(super) fn expired(&self, shared: &Shared, which: &Arc<Credentials>) -> bool {
        let Identity::Provider(provider) = &shared.identity else { return false };
        provider.expired(which);
        // It stays: another attempt may be about to sign with it.
        if let Some(held) = &mut *self.held.borrow_mut() {
            held.fresh_until = Timestamp::from_unix_seconds(0);
        }
        true
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
        let held = self.held.borrow();
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
            now: own_clock(core).shifted(self.clock_ahead_s.get()),
            expect_bytes_min: self.expect_bytes_min.get(),
        };
        self.scratch.borrow_mut().write_head(out, operation, body, caller)
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
        self.expect_bytes_min.set(None);
    }

    /// Takes the server's clock for the right one.
    pub(super) fn learn_clock(&self, core: &Core, server: Timestamp) {
        let (server, own) = (server.unix_seconds(), own_clock(core).unix_seconds());
        self.clock_ahead_s.set(server as i64 - own as i64);
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
