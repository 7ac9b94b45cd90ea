//! Where an answer says that a request is to be asked instead, as far as credentials may go there: into
//! another region of the same service, or to another endpoint of the same store (SEC-3).

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::endpoint::Endpoint;
use super::error::S3Error;
use super::hosts::Hosts;
use crate::http1::url::HttpUrl;

/// Where the next attempt goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// To the host that is made from it, where AWS is asked; elsewhere to the same, signed for it.
    Region(String),
    /// To this endpoint of the store.
    Endpoint(usize),
}

/// The region that a server of the store has named: what one core has learnt another may have no way to
/// learn, since a HEAD is refused without a word (RFC 9110 section 9.3.2). It is looked at when a core
/// meets the store, and when a request was refused.
#[derive(Debug, Default)]
pub(super) struct NamedRegion(Mutex<Option<String>>);

impl NamedRegion {
    /// What another store on the same servers begins with: buckets of AWS may be in different ones.
    pub(super) fn of_another_bucket(&self, endpoint: &Endpoint) -> NamedRegion {
        let region = if endpoint.is_amazon() { None } else { self.get() };
        NamedRegion(Mutex::new(region))
    }

    pub(super) fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    pub(super) fn set(&self, region: &str) {
        *self.lock() = Some(region.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Elsewhere {
    /// Of the refusal of a HEAD. Nothing where it says why, or the request was signed for what was named.
    pub(super) fn without_a_word(
        error: &S3Error,
        asked: &Endpoint,
        named: &NamedRegion,
    ) -> Option<Elsewhere> {
        if asked.is_plain() || error.http_status != 400 || !error.code.is_empty() {
            return None;
        }
        named.get().filter(|region| region != asked.region()).map(Elsewhere::Region)
    }

    /// Nothing where the answer names nothing else than what was asked, or what is foreign.
    pub(super) fn of(error: &S3Error, asked: &Endpoint, hosts: &Hosts) -> Option<Elsewhere> {
        let is_redirect = matches!(error.http_status, 301 | 302 | 307 | 308);
        if asked.is_plain() || !(is_redirect || error.http_status == 400) {
            return None;
        }
        let location = error.location.as_ref().map(|location| location.0.as_str());
        let endpoint = || {
            let url = HttpUrl::parse(location.filter(|_| is_redirect)?).ok()?;
            let at = hosts.at_origin_of(&url).filter(|_| !asked.is_origin_of(&url))?;
            Some(Elsewhere::Endpoint(at))
        };
        // Regions have hosts of their own in AWS alone.
        if !asked.is_amazon()
            && let Some(named) = endpoint()
        {
            return Some(named);
        }
        let hosts_told = [error.endpoint.as_deref(), location].into_iter().flatten();
        let mut regions = hosts_told.filter_map(|host| asked.region_named_by(host));
        let region = error.region.as_deref().or_else(|| regions.next().filter(|_| is_redirect));
        if let Some(region) =
            region.filter(|region| !region.is_empty() && *region != asked.region())
        {
            return Some(Elsewhere::Region(region.to_owned()));
        }
        endpoint()
    }
}
