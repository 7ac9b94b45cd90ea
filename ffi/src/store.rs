//! `hyd_store`: one place for objects.

use std::ffi::c_char;
use std::sync::Arc;

use hydrant::s3::S3Client;
use hydrant::uri::Scheme;
use hydrant::{FileMode, FileStore, Hydrant, Location};

use crate::args::{self, Out, TextOut, c_text};
use crate::engine::{Engine, hyd_engine, use_engine};
use crate::error::{ErrorOut, Failure, hyd_error};
use crate::guard::{self, Entry};
use crate::handle::{self, kind};
use crate::options::{Options, Settings, hyd_options};
use crate::status::{HYD_E_CONFIG, HYD_E_UNSUPPORTED, hyd_status};

/// One place for objects.
pub struct hyd_store(());

/// What a store handle holds.
pub struct Store {
    /// The place itself, with the key of no object.
    root: Location,
    /// The folder of a store of files that has one, as its locations name it.
    folder: Option<String>,
    /// The engine beneath. Destroying it stops the work; what is left of it goes with the last store.
    pub engine: Arc<Engine>,
}

kind!(Store, hyd_store, 6, "store");

impl Store {
    /// The calls of the store.
    pub fn calls(&self) -> &hydrant::Store {
        &self.root.store
    }

    /// An object of the store.
    ///
    /// # Errors
    /// A key that cannot be one.
    pub fn locate(&self, key: &str) -> Result<Location, Failure> {
        let Some(folder) = &self.folder else { return Ok(self.root.with_key(key)?) };
        // What tells two objects apart is the whole path; the store is asked for what is beneath.
        let mut location = self.root.with_key(&format!("{folder}/{key}"))?;
        location.key = key.to_owned();
        Ok(location)
    }

    /// The operations of S3 on the bucket.
    ///
    /// # Errors
    /// `UNSUPPORTED` for a store of another kind.
    pub fn s3(&self) -> Result<S3Client, Failure> {
        let message = "this is an operation of S3, and the store is of another kind";
        self.calls().s3().ok_or_else(|| Failure::new(HYD_E_UNSUPPORTED, message))
    }

    /// A file of this machine, by its path.
    pub fn file(&self, path: &str) -> Result<Location, Failure> {
        Ok(self.engine.hydrant.locate("file:///")?.with_key(path)?)
    }
}

/// The store of a handle, in an engine that a panic of this entry poisons.
pub fn use_store(entry: &mut Entry, handle: *const hyd_store) -> Result<Arc<Store>, Failure> {
    let store = handle::get::<Store>(handle)?;
    entry.uses(&store.engine.poison)?;
    Ok(store)
}

/// Opens the store of a URI, which the caller closes:
///
///     s3://bucket            the server that the options or the environment name
///     s3://host:port/bucket  the server at host:port, over plain HTTP; TLS needs an endpoint
///     http://host:port       objects of any server, to be read; a key is a path and its query
///     https://host           the same over TLS
///     mem://name             memory of this engine, gone with it
///     file:///               files; a key is a path, absolute or from the working directory, or with the
///                            option root beneath that
///     direct:///             the same past the page cache (O_DIRECT)
///
/// What `options` do not set, S3 reads from the environment now: AWS_ENDPOINT_URL_S3 or
/// AWS_ENDPOINT_URL (https:// for TLS, or http://), AWS_REGION, AWS_ACCESS_KEY_ID,
/// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; then from the profile (AWS_PROFILE). Credentials that
/// are not there come by web identity, or from the service of the container or the instance, and are
/// renewed ahead of their end; an endpoint of one's own is asked unsigned where nothing of this is set
/// up. `options` may be NULL, and are not needed after the
/// call. Nothing is asked of a server yet, so a bucket that does not exist is told by the first call.
///
/// Errors: HYD_E_INVALID for a URI that makes no sense or has a key; HYD_E_CONFIG for settings that
/// make none or contradict each other, and files of TLS that cannot be read; HYD_E_UNSUPPORTED for https:// where the library was built without TLS.
///
/// Threads: any, also many at once; not while another thread changes the environment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_store_open(
    engine: *const hyd_engine,
    uri: *const c_char,
    options: *const hyd_options,
    store: *mut *mut hyd_store,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let engine = use_engine(entry, engine)?;
        let settings = handle::get_optional::<Options>(options)?.map(|it| it.settings());
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (uri, out) = unsafe { (c_text(uri, "uri")?, Out::new(store, "store")?) };
        let (root, folder) = open(&engine.hydrant, uri, settings.as_ref())?;
        out.write(handle::give(Arc::new(Store { root, folder, engine }))?);
        Ok(())
    })
}

/// The place, and the folder that its keys lead beneath.
fn open(
    hydrant: &Hydrant,
    text: &str,
    settings: Option<&Settings>,
) -> Result<(Location, Option<String>), Failure> {
    let uri = Hydrant::uri(text)?;
    // A URI with a key would be a store and an object; a caller who means the key to be a prefix must
    // not get the whole bucket in silence.
    let root = if uri.scheme().is_path() { "/" } else { "" };
    if uri.key() != root {
        return Err(Failure::invalid(
            "the URI has a key: a store is opened as s3://bucket, s3://host:port/bucket, \
             https://host, mem://name, file:/// or direct:///, and each call is given its key, for \
             files the path",
        ));
    }
    let Some(settings) = settings else { return Ok((hydrant.open(uri)?, None)) };
    let is_remote = !uri.scheme().is_path() && uri.scheme() != Scheme::Mem;
    settings.check()?;
    if uri.scheme() == Scheme::S3 && uri.authority().is_some() && settings.names_endpoint() {
        let text = "the URI names its server, and the option endpoint names one";
        return Err(Failure::new(HYD_E_CONFIG, text));
    }
    // Half a pair of keys makes no sense for any store; only S3 signs.
    let identity = settings.identity()?.filter(|_| uri.scheme() == Scheme::S3);
    let tls = if is_remote { settings.tls()? } else { None };
    let mode = match uri.scheme() {
        Scheme::File => Some(FileMode::Buffered),
        Scheme::Direct => Some(FileMode::Direct),
        _ => None,
    };
    let mut location = hydrant.open_with(uri, |config| settings.apply(identity, tls, config))?;
    let rooted = settings.root.as_ref().zip(mode);
    if let Some((root, mode)) = rooted {
        let files = Arc::new(FileStore::at_root(root, mode));
        location.store = hydrant::Store::custom(hydrant, files);
    }
    let limits = settings.transfer(location.store.limits());
    location.store = location.store.with_transfer(limits);
    let folder = rooted.map(|(root, _)| root.trim_end_matches('/').to_owned());
    Ok((location, folder))
}

/// Writes the URI of an object of a store, with a NUL at its end, as people and messages know it. `need` tells
/// its length without the NUL; with a `capacity` of 0 nothing else is written.
///
/// Errors: HYD_E_AGAIN where the text does not fit; HYD_E_INVALID.
///
/// Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hyd_store_uri(
    store: *const hyd_store,
    key: *const c_char,
    key_len: usize,
    uri: *mut c_char,
    capacity: usize,
    need: *mut usize,
    error: *mut *mut hyd_error,
) -> hyd_status {
    guard::entry(ErrorOut::new(error), |entry| {
        let store = use_store(entry, store)?;
        // SAFETY: OWN-3. The caller lends what the pointers name for the time of the call.
        let (key, out) =
            unsafe { (args::text(key, key_len, "key")?, TextOut::new(uri, capacity, need)?) };
        out.write(&store.calls().uri_of(key))
    })
}

/// Closes a store; NULL is fine. Calls that run in other threads, requests, writers and listings end
/// as if it were open.
///
/// Errors: HYD_E_HANDLE when it was closed before; HYD_E_FORKED.
///
/// Threads: any; of two at once, one gets HYD_E_HANDLE.
#[unsafe(no_mangle)]
pub extern "C" fn hyd_store_close(store: *mut hyd_store) -> hyd_status {
    guard::entry(ErrorOut::NONE, |_| handle::retire::<Store>(store).map(drop))
}
