//! What a server that speaks no S3 has in common with those that do: connections, retries, the pace of
//! requests, and readers of ranges. Its objects are asked for by path and query, and nothing is signed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hydrant_engine::Core;

use super::call::send;
use super::checksum::ChecksumPolicy;
use super::credentials::Identity;
use super::endpoint::Endpoint;
use super::ops::HeadObject;
use super::reader::S3Reader;
#[cfg(not(feature = "tls"))]
use super::store::speaks_no_tls;
use super::store::{S3Config, Shared};
#[cfg(feature = "tls")]
use super::tls::{CA_BUNDLE, TlsSource};
use crate::condition::ReadOptions;
use crate::error::Result;
use crate::http1::url::HttpUrl;
use crate::object::ObjectMeta;

/// The origin of a URL. Of the settings those of connections, TLS, retries and the pace hold.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    shared: Arc<Shared>,
    led_to: Arc<LedTo>,
    #[cfg(feature = "tls")]
    tls: TlsSource,
}

/// Origins that redirects have led to from one origin, so that all its objects share their connections
/// and what is known of them. Those that were not led to for the longest time go first.
#[derive(Debug, Default)]
struct LedTo(Mutex<Origins>);

type Origins = Vec<(HttpUrl, Arc<Shared>)>;

impl LedTo {
    /// What is shared at the origin of a URL.
    #[cfg(feature = "tls")]
    fn find(&self, url: &HttpUrl) -> Option<Arc<Shared>> {
        find_in(&mut self.lock(), url)
    }

    /// Keeps it, unless another task was faster; at most `most` are kept.
    fn keep(&self, url: &HttpUrl, shared: Shared, most: usize) -> Arc<Shared> {
        let mut known = self.lock();
        if let Some(known) = find_in(&mut known, url) {
            return known;
        }
        let shared = Arc::new(shared);
        // Of the URL the origin alone: its query may be a signature (SEC-1).
        known.push((url.with_target("/".to_owned()), Arc::clone(&shared)));
        let surplus = known.len().saturating_sub(most);
        known.drain(..surplus);
        shared
    }

    fn lock(&self) -> MutexGuard<'_, Origins> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one of this origin, which is the last led to from now on.
fn find_in(known: &mut Origins, url: &HttpUrl) -> Option<Arc<Shared>> {
    let at = known.iter().position(|(origin, _)| origin.same_origin(url))?;
    known[at..].rotate_left(1);
    known.last().map(|(_, shared)| Arc::clone(shared))
}

impl Site {
    /// # Errors
    /// No certificate to trust; `https` where this crate was built without its feature `tls`.
    pub(crate) fn open(
        url: &HttpUrl,
        config: &S3Config,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Site> {
        let mut config = config.clone();
        let checks = &mut config.checksums;
        // Only S3 has words for them.
        (checks.requests, checks.answers) = (Some(ChecksumPolicy::Off), Some(ChecksumPolicy::Off));
        #[cfg(feature = "tls")]
        let tls = TlsSource {
            given: config.tls.clone(),
            settings: config.tls_settings.clone(),
            ca_bundle: env(CA_BUNDLE),
        };
        let shared = Shared::open(Endpoint::plain(url), Identity::Anonymous, config, env)?;
        Ok(Site {
            shared: Arc::new(shared),
            led_to: Arc::default(),
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// The origin of another URL with the same settings, but for the client's certificate: it is not
    /// shown to whom somebody else leads us (SEC-3).
    ///
    /// # Errors
    /// As [`Site::open`].
    #[cfg(feature = "tls")]
    pub(crate) async fn at(&self, core: &Core, url: &HttpUrl) -> Result<Site> {
        if let Some(shared) = self.led_to.find(url) {
            return Ok(Site { shared, ..self.clone() });
        }
        let tls = match (url.is_tls(), &self.shared.tls) {
            (false, _) => None,
            (true, Some(known)) => Some(known.without_client_certificate()),
            (true, None) => Some(self.tls.load(core).await?.without_client_certificate()),
        };
        let shared = Shared { tls, ..self.shared.at(Endpoint::plain(url)) };
        let shared = self.led_to.keep(url, shared, self.shared.config.http.redirect_origins_max);
        Ok(Site { shared, ..self.clone() })
    }

    /// The origin of another URL with the same settings.
    ///
    /// # Errors
    /// As [`Site::open`].
    #[cfg(not(feature = "tls"))]
    pub(crate) async fn at(&self, _core: &Core, url: &HttpUrl) -> Result<Site> {
        let endpoint = Endpoint::plain(url);
        match url.is_tls() {
            true => Err(speaks_no_tls(&endpoint)),
            false => {
                let most = self.shared.config.http.redirect_origins_max;
                let shared = self.led_to.keep(url, self.shared.at(endpoint), most);
                Ok(Site { shared, ..self.clone() })
            }
        }
    }

    /// Redirects that are followed.
    pub(crate) fn redirects_max(&self) -> u32 {
        self.shared.config.http.redirects_max
    }

    /// A reader of what lies at a path and query.
    pub(crate) fn reader(&self, target: &str) -> S3Reader {
        S3Reader::new(&self.shared, target, &ReadOptions::default())
    }

    /// Asks with a HEAD.
    pub(crate) async fn head(&self, core: &Core, target: &str) -> Result<ObjectMeta> {
        Ok(send(core, &self.shared, &HeadObject::new(target)).await?.into())
    }

    /// The URI of what lies at a path and query, without the query (SEC-1).
    pub(crate) fn uri_of(&self, target: &str) -> String {
        self.shared.uri_of(target)
    }
}
