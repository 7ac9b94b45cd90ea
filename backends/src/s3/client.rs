//! Any operation of S3 on one bucket, from any thread.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hydrant_engine::Engine;

use super::call::send;
use super::credentials::{Credentials, Held, Identity};
use super::delete::delete_each;
use super::get::get;
use super::ops::{DeleteObjects, Deleted, GetObject, ObjectInfo, Operation, RequestParts, Target};
use super::presign::{Presigned, presign};
use super::store::{S3Store, Shared};
use super::time::Timestamp;
use crate::client::Task;
use crate::error::{Error, ErrorKind, Result};

/// Runs operations of S3 on one bucket. Clones share it, its connections and its settings.
///
/// It is reached from a store ([`crate::Store::s3`]) or opened by [`crate::Hydrant::s3`].
///
/// ```no_run
/// use hydrant::Hydrant;
/// use hydrant::s3::{HeadObject, PutObject, ServerSide};
///
/// # fn main() -> hydrant::Result<()> {
/// let client = Hydrant::builder().build()?.s3("bucket")?;
/// let mut put = PutObject::new("a/key", &b"hello"[..]);
/// put.object.metadata.push(("made-by".into(), "me".into()));
/// put.object.server_side = Some(ServerSide::S3);
/// client.send(put).wait()?;
/// let info = client.send(HeadObject::new("a/key")).wait()?;
/// assert_eq!(info.metadata, [("made-by".to_owned(), "me".to_owned())]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct S3Client {
    engine: Engine,
    shared: Arc<Shared>,
    /// The service that the bucket belongs to, for what is about no bucket.
    service: Arc<Shared>,
}

impl S3Client {
    pub(crate) fn new(engine: &Engine, store: &S3Store) -> S3Client {
        let shared = Arc::clone(store.shared());
        let Ok(service) = shared.with(|endpoint| Ok::<_, Infallible>(endpoint.service()));
        let service = Arc::new(service);
        S3Client { engine: engine.clone(), shared, service }
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        self.shared.endpoint.bucket()
    }

    /// A client for another bucket of the same service, with the same settings.
    ///
    /// # Errors
    /// A name that no bucket can have.
    pub fn with_bucket(&self, bucket: &str) -> Result<S3Client> {
        let shared = self.shared.with(|endpoint| endpoint.with_bucket(bucket));
        let shared = shared.map_err(|error| ErrorKind::Config(error.to_string()))?;
        Ok(S3Client { shared: Arc::new(shared), ..self.clone() })
    }

    /// Runs an operation: signed, tried again where that may help, over a connection of a core. A
    /// body that the operation brings is sent without a copy.
    ///
    /// [`GetObject`] tells what the object is and drops its bytes: use [`S3Client::get_object`], or
    /// [`crate::Store::get`] for large ones.
    pub fn send<O>(&self, mut operation: O) -> Task<O::Output>
    where
        O: Operation + Send + 'static,
        O::Output: Send + 'static,
    {
        if let Some((algorithm, kind)) = self.shared.checks.of_upload_by_hand() {
            operation.name_checksum(algorithm, kind);
        }
        let mut parts = RequestParts::new();
        let is_service = operation.encode(&mut parts).is_ok() && parts.target() == Target::Service;
        let shared = Arc::clone(if is_service { &self.service } else { &self.shared });
        Task::run(&self.engine, move |core| async move { send(&core, &shared, &operation).await })
    }

    /// Reads an object, or a range of it, into one buffer of the pool. What has more than
    /// `bytes_max` bytes is refused, because the memory is taken before the request is sent
    /// (POOL-1).
    pub fn get_object(&self, operation: GetObject, bytes_max: usize) -> Task<(ObjectInfo, Bytes)> {
        let shared = Arc::clone(&self.shared);
        Task::run(&self.engine, move |core| async move {
            get(&core, &shared, &operation, bytes_max).await
        })
    }

    /// Deletes any number of objects as `how` says, [`DELETE_KEYS_MAX`](super::DELETE_KEYS_MAX) a request, and tells of each
    /// what came of it, in the order given: a request that failed as a whole is the error of each of
    /// its objects. Those that XML cannot carry, and those with a condition, are deleted one by one.
    pub fn delete_each(&self, how: DeleteObjects) -> Task<Vec<Result<Deleted>>> {
        let shared = Arc::clone(&self.shared);
        Task::run(
            &self.engine,
            move |core| async move { Ok(delete_each(&core, &shared, how).await) },
        )
    }

    /// Makes a URL with which anybody can run this operation from now on until it ends, or until the
    /// credentials do. The body of a PUT is not covered by the signature. Blocks where credentials
    /// have to be asked for first.
    ///
    /// # Errors
    /// No credentials; an operation that cannot be presigned; a life of more than 7 days;
    /// [`hydrant_engine::Error::WouldDeadlock`] on a core.
    pub fn presign<O: Operation>(&self, operation: &O, expires: Duration) -> Result<Presigned> {
        self.presign_at(operation, SystemTime::now(), expires)
    }

    /// The same from a given moment on.
    ///
    /// # Errors
    /// As [`S3Client::presign`].
    pub fn presign_at<O: Operation>(
        &self,
        operation: &O,
        from: SystemTime,
        expires: Duration,
    ) -> Result<Presigned> {
        let held;
        let credentials = match &self.shared.identity {
            Identity::Keys(keys) => keys,
            Identity::Provider(_) => {
                held = self.signer().wait()?;
                &*held.credentials
            }
            Identity::Anonymous => {
                let text = "there are no credentials to presign with; set AWS_ACCESS_KEY_ID and \
                            AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
                return Err(ErrorKind::Config(text.to_owned()).into());
            }
        };
        let (from, asked) = (Timestamp::from(from), &self.shared.endpoint);
        let named = self.shared.named_region.get();
        let moved = named.and_then(|region| asked.in_region(&region).ok());
        presign(operation, moved.as_ref().unwrap_or(asked), credentials, from, expires)
            .map_err(|error| Error::from(ErrorKind::InvalidInput(error.to_string())))
    }

    /// Finds out who signs the requests, asking the source of credentials where none are held.
    pub fn who_signs(&self) -> Task<Signer> {
        let shared = Arc::clone(&self.shared);
        Task::run(&self.engine, move |core| async move {
            let of = |keys: &Credentials, source: &str| Signer::Keys {
                access_key_id: keys.access_key_id().to_owned(),
                source: source.to_owned(),
                ends: keys.expires_at().map(SystemTime::from),
            };
            match &shared.identity {
                Identity::Anonymous => Ok(Signer::Nobody),
                Identity::Keys(keys) => Ok(of(keys, "the environment or the settings")),
                Identity::Provider(provider) => {
                    let held = provider.get(&core).await.map_err(ErrorKind::Credentials)?;
                    Ok(of(&held.credentials, &held.source))
                }
            }
        })
    }

    fn signer(&self) -> Task<Held> {
        let shared = Arc::clone(&self.shared);
        Task::run(&self.engine, move |core| async move {
            match &shared.identity {
                Identity::Provider(provider) => {
                    Ok(provider.get(&core).await.map_err(ErrorKind::Credentials)?)
                }
                Identity::Anonymous | Identity::Keys(_) => {
                    Err(ErrorKind::InvalidInput("nobody provides credentials".to_owned()).into())
                }
            }
        })
    }
}

/// Who signs the requests of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// They are not signed.
    Nobody,
    /// The owner of a pair of keys.
    Keys {
        /// The public half of the pair.
        access_key_id: String,
        /// Where the pair comes from.
        source: String,
        /// When it ends, where that is known.
        ends: Option<SystemTime>,
    },
}

impl fmt::Debug for S3Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Client").field("endpoint", &self.shared.endpoint).finish_non_exhaustive()
    }
}
