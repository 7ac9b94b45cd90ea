//! The endpoints of one store on one core, and which of them an attempt goes to.
//!
//! What is decided lies in [`choice`](super::choice); here are the connections that go with it, and the
//! probes that no request waits for.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use hydrant_engine::{Core, LocalTask};

use super::choice::{Choice, Chosen, Probed, Verdict};
use super::per_core::{Common, PerCore};
use super::store::Shared;
use crate::http1::HttpError;
use crate::http1::url::HttpUrl;

/// The endpoints of one store, at least one.
pub(super) struct Hosts {
    all: Vec<Rc<PerCore>>,
    choice: RefCell<Choice>,
}

/// The stores that one core has worked for; those that are gone are swept out on the next look-up.
#[derive(Default)]
struct Stores(RefCell<Vec<(std::sync::Weak<Shared>, Rc<Hosts>)>>);

/// One attempt at one endpoint.
pub(super) struct Turn {
    hosts: Rc<Hosts>,
    chosen: Chosen,
}

impl Hosts {
    pub(super) fn of(core: &Core, shared: &Arc<Shared>) -> Rc<Hosts> {
        let stores = core.local(Stores::default);
        let mut stores = stores.0.borrow_mut();
        stores.retain(|(store, _)| store.strong_count() > 0);
        let found = stores.iter().find(|(store, _)| std::ptr::eq(store.as_ptr(), &**shared));
        if let Some((_, hosts)) = found {
            return Rc::clone(hosts);
        }
        let common = Rc::new(Common::default());
        let named = shared.named_region.get();
        let all = shared.endpoints().map(|one| {
            let moved = named.as_ref().and_then(|region| one.in_region(region).ok());
            PerCore::new(shared, moved.unwrap_or_else(|| one.clone()), &common)
        });
        let all = all.collect();
        let hosts = Rc::new(Hosts::new(shared, all));
        stores.push((Arc::downgrade(shared), Rc::clone(&hosts)));
        hosts
    }

    fn new(shared: &Shared, all: Vec<PerCore>) -> Hosts {
        let choice = RefCell::new(Choice::new(shared.config.endpoints, all.len()));
        Hosts { all: all.into_iter().map(Rc::new).collect(), choice }
    }

    /// The same for a bucket that turned out to be in another region; all later calls of this core
    /// go there, and those of cores that meet the store later. The name of the host is made from the
    /// region, never taken from an answer (SEC-3).
    pub(super) fn in_region(
        self: &Rc<Hosts>,
        core: &Core,
        shared: &Arc<Shared>,
        region: &str,
    ) -> Option<Rc<Hosts>> {
        let stores = core.local(Stores::default);
        let mut stores = stores.0.borrow_mut();
        let known = stores.iter_mut().find(|(store, _)| std::ptr::eq(store.as_ptr(), &**shared));
        let (_, known) = known?;
        if !Rc::ptr_eq(known, self) {
            // Another call has learnt it meanwhile.
            return Some(Rc::clone(known));
        }
        let all = self.all.iter().map(|one| one.in_region(shared, region));
        *known = Rc::new(Hosts::new(shared, all.collect::<Option<_>>()?));
        shared.named_region.set(region);
        Some(Rc::clone(known))
    }

    /// The first endpoint: what holds for all of them holds for it.
    pub(super) fn first(&self) -> &Rc<PerCore> {
        &self.all[0]
    }

    /// Chooses where an attempt goes; not where the last one failed, if that can be helped.
    pub(super) fn choose(self: &Rc<Hosts>, core: &Core, shunned: Option<usize>) -> Turn {
        self.probe(core);
        let held = |at: usize| self.all[at].held(core).unwrap_or(Duration::ZERO);
        let chosen = self.choice.borrow_mut().choose(core.now(), held, shunned);
        Turn { hosts: Rc::clone(self), chosen }
    }

    /// The attempt goes to this endpoint, because another one has named it.
    pub(super) fn turn_at(self: &Rc<Hosts>, endpoint: usize) -> Turn {
        let chosen = self.choice.borrow_mut().take(endpoint);
        Turn { hosts: Rc::clone(self), chosen }
    }

    /// Which endpoint of the store a URL leads to.
    pub(super) fn at_origin_of(&self, url: &HttpUrl) -> Option<usize> {
        self.all.iter().position(|one| one.endpoint.is_origin_of(url))
    }

    /// Starts a probe of an endpoint whose time has come.
    fn probe(self: &Rc<Hosts>, core: &Core) {
        if self.all.len() == 1 {
            return;
        }
        let Some(at) = self.choice.borrow_mut().due_probe(core.now()) else { return };
        let per_core = Rc::clone(&self.all[at]);
        let (hosts, core_of_it) = (Rc::downgrade(self), core.clone());
        let probe = Probe { hosts, core: core_of_it, at, found: Cell::new(Probed::Nothing) };
        // Where it cannot be started, nothing is found out.
        let started = core.spawn(async move {
            probe.found.set(match per_core.connections.probe(&probe.core).await {
                Ok(()) => Probed::Connected,
                Err(HttpError::Connect(_)) => Probed::Refused,
                // Our own memory.
                Err(_) => Probed::Nothing,
            });
        });
        let _ = started.map(LocalTask::detach);
    }
}

impl Turn {
    pub(super) fn per_core(&self) -> &Rc<PerCore> {
        &self.hosts.all[self.chosen.endpoint]
    }

    /// Which endpoint it is at.
    pub(super) fn endpoint(&self) -> usize {
        self.chosen.endpoint
    }

    /// Whether the next attempt can go to another endpoint that is healthy.
    pub(super) fn has_another(&self) -> bool {
        self.hosts.choice.borrow().has_another(self.chosen.endpoint)
    }

    /// Whether the endpoint was found to be in trouble meanwhile, and another one is healthy.
    pub(super) fn is_overtaken(&self) -> bool {
        self.hosts.choice.borrow().is_overtaken(self.chosen)
    }

    /// What came of the attempt.
    pub(super) fn told(&self, core: &Core, verdict: Verdict) {
        self.hosts.choice.borrow_mut().told(core.now(), self.chosen, verdict);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.hosts.choice.borrow_mut().ended(self.chosen);
    }
}

/// A probe under way; one that is given up has found out nothing.
struct Probe {
    hosts: Weak<Hosts>,
    core: Core,
    at: usize,
    found: Cell<Probed>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(hosts) = self.hosts.upgrade() {
            hosts.choice.borrow_mut().probed(self.core.now(), self.at, self.found.get());
        }
    }
}
