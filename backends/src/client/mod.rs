//! The face for people: an engine with stores on top, usable from any thread.

mod builder;
mod store;
mod task;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

pub use builder::HydrantBuilder;
pub use store::Store;
pub use task::Task;

use hydrant_engine::Engine;

use crate::error::{Error, ErrorKind, Result};
use crate::file::{FileMode, FileStore};
use crate::http::HttpStore;
use crate::mem::MemStores;
use crate::pipeline::TransferLimits;
use crate::s3::{S3Client, S3Config, S3Store};
use crate::store::ObjectStore;
use crate::uri::{HostPort, Scheme, Uri, parse_location};

/// An engine and the settings that stores are opened with. Clones share it; the last one stops the
/// engine.
#[derive(Clone)]
pub struct Hydrant {
    inner: Arc<Inner>,
}

/// Looks up an environment variable.
type Env = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

struct Inner {
    engine: Engine,
    transfer: TransferLimits,
    s3: S3Config,
    env: Env,
    mem: MemStores,
    /// Buckets that are open: whoever opens one again shares its connections.
    buckets: Mutex<Vec<(Option<HostPort>, Weak<S3Store>)>>,
    /// Origins of URLs, in the same way.
    origins: Mutex<Vec<Weak<HttpStore>>>,
}

/// An object, or a place for objects: a store and a key in it.
#[derive(Debug, Clone)]
pub struct Location {
    /// The store.
    pub store: Store,
    /// The key; for files the path as it was written.
    pub key: String,
    uri: Uri,
}

impl Hydrant {
    /// A builder with defaults: a core for each CPU, a pool of 256 MiB, settings from the
    /// environment.
    pub fn builder() -> HydrantBuilder {
        HydrantBuilder::new()
    }

    /// The engine underneath: capabilities, counters, pool.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Opens the store of a URI: the bucket, the file system, the memory. A key in the URI is not
    /// looked at.
    ///
    /// # Errors
    /// [`ErrorKind::Location`] for a text that is no URI; settings that make no sense.
    pub fn store(&self, uri: &str) -> Result<Store> {
        self.locate(uri).map(|location| location.store)
    }

    /// Reads a URI, or a plain path, which is a file.
    ///
    /// # Errors
    /// As [`Hydrant::store`].
    pub fn locate(&self, text: &str) -> Result<Location> {
        self.open(Hydrant::uri(text)?)
    }

    /// Reads a URI, or a plain path, and opens nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Location`], which shows neither password nor signature.
    pub fn uri(text: &str) -> Result<Uri> {
        parse_location(text).map_err(|source| {
            // What stands before an '@' may be a password (SEC-1).
            let shown = text.rsplit('@').next().unwrap_or_default();
            // In a URL what stands behind a '?' may be a signature, elsewhere it is part of the key.
            let is_url = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"));
            let end = shown.find('?').filter(|_| is_url).unwrap_or(shown.len());
            let text = shown[..end].to_owned();
            ErrorKind::Location { text, source }.into()
        })
    }

    /// The same for a URI that was read before.
    ///
    /// # Errors
    /// As [`Hydrant::store`].
    pub fn open(&self, uri: Uri) -> Result<Location> {
        let store: Arc<dyn ObjectStore> = match uri.scheme() {
            Scheme::S3 => self.open_s3(&uri)?,
            Scheme::File => Arc::new(FileStore::unrooted(FileMode::Buffered)),
            Scheme::Direct => Arc::new(FileStore::unrooted(FileMode::Direct)),
            Scheme::Mem => self.inner.mem.open(uri.container())?,
            Scheme::Http | Scheme::Https => self.open_http(&uri)?,
        };
        let store = Store::new(self, store);
        Ok(Location { store, key: uri.key().to_owned(), uri })
    }

    /// The operations of S3 on a bucket, at the server of the environment or the settings.
    ///
    /// # Errors
    /// A name that no bucket can have; settings that make no sense.
    pub fn s3(&self, bucket: &str) -> Result<S3Client> {
        let text = format!("s3://{bucket}/");
        let store = self.locate(&text)?.store.s3();
        store.ok_or_else(|| ErrorKind::Config(format!("{text} is no bucket")).into())
    }

    /// Opens a place with settings of its own; it shares no connections with others. Of a URL those of
    /// connections, TLS, retries and the pace hold; stores of files and memory have no such settings.
    ///
    /// # Errors
    /// As [`Hydrant::store`].
    pub fn open_with(&self, uri: Uri, change: impl FnOnce(&mut S3Config)) -> Result<Location> {
        if matches!(uri.scheme(), Scheme::File | Scheme::Direct | Scheme::Mem) {
            return self.open(uri);
        }
        let shared = self.s3_config(&uri);
        let mut config = shared.clone();
        change(&mut config);
        config.settle_sources(&shared);
        let store: Arc<dyn ObjectStore> = match uri.scheme() {
            Scheme::S3 => Arc::new(S3Store::open(uri.container(), config, &*self.inner.env)?),
            _ => Arc::new(HttpStore::open(&origin_of(&uri), &config, &*self.inner.env)?),
        };
        Ok(Location { store: Store::new(self, store), key: uri.key().to_owned(), uri })
    }

    /// Stops the engine: cancels, drains, frees. Uploads under way are aborted.
    ///
    /// # Errors
    /// [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn stop(&self) -> Result<()> {
        Ok(self.inner.engine.stop()?)
    }

    /// The same for at most so long: how many cores have not ended by then. Whoever asks again waits on.
    ///
    /// # Errors
    /// As [`Hydrant::stop`].
    pub fn stop_within(&self, limit: Duration) -> Result<usize> {
        Ok(self.inner.engine.stop_within(limit)?)
    }

    fn open_s3(&self, uri: &Uri) -> Result<Arc<S3Store>> {
        let mut buckets = self.inner.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.retain(|(_, store)| store.strong_count() > 0);
        let same = |server: &Option<HostPort>, store: &S3Store| {
            server.as_ref() == uri.authority() && store.bucket() == uri.container()
        };
        let open = buckets
            .iter()
            .find_map(|(server, store)| store.upgrade().filter(|store| same(server, store)));
        if let Some(store) = open {
            return Ok(store);
        }
        let store = Arc::new(self.new_s3(uri)?);
        buckets.push((uri.authority().cloned(), Arc::downgrade(&store)));
        Ok(store)
    }

    fn open_http(&self, uri: &Uri) -> Result<Arc<HttpStore>> {
        let origin = origin_of(uri);
        let mut origins = self.inner.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins.retain(|store| store.strong_count() > 0);
        let mut open = origins.iter().filter_map(Weak::upgrade);
        if let Some(store) = open.find(|store| store.is_at(&origin)) {
            return Ok(store);
        }
        drop(open);
        let store = Arc::new(HttpStore::open(&origin, &self.inner.s3, &*self.inner.env)?);
        origins.push(Arc::downgrade(&store));
        Ok(store)
    }

    fn new_s3(&self, uri: &Uri) -> Result<S3Store> {
        S3Store::open(uri.container(), self.s3_config(uri), &*self.inner.env)
    }

    fn s3_config(&self, uri: &Uri) -> S3Config {
        let mut config = self.inner.s3.clone();
        if let Some(server) = uri.authority() {
            config.endpoint.url = Some(format!("http://{server}"));
        }
        config
    }
}

/// Where the server of a URL is.
fn origin_of(uri: &Uri) -> String {
    format!("{}://{}", uri.scheme(), uri.container())
}

impl fmt::Debug for Hydrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hydrant").field("engine", &self.inner.engine).finish_non_exhaustive()
    }
}

impl Location {
    /// The URI that it was read from.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Another key in the same store.
    ///
    /// # Errors
    /// [`ErrorKind::Location`] for a key that cannot be one, such as one with a NUL.
    pub fn with_key(&self, key: &str) -> Result<Location> {
        let uri = self.uri.with_key(key).map_err(|source| {
            Error::from(ErrorKind::Location { text: key.escape_debug().to_string(), source })
        })?;
        Ok(Location { store: self.store.clone(), key: key.to_owned(), uri })
    }
}

impl fmt::Display for Location {
    /// Of a URL without its query, which may hold a signature (SEC-1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.uri.scheme().is_url() {
            return f.write_str(&self.store.uri_of(&self.key));
        }
        self.uri.fmt(f)
    }
}
