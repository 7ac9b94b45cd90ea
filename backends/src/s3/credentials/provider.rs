//! Credentials that are renewed while they serve: one refresh at a time, on a core, in no request's
//! way.
//!
//! All cores share what is held, behind a lock that is never held across a wait; a core keeps its own
//! copy as long as that is fresh, so that a request takes no lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use hydrant_engine::Core;

use super::cache::{Cache, Held, Renewal, Turn};
use super::chain::{Chain, Fetched};
use super::io::OnCore;
use super::{Credentials, CredentialsError, CredentialsLimits};
use crate::s3::per_core::own_clock;
use crate::s3::time::{Iso8601, Timestamp};

/// A source of credentials of one's own.
///
/// It is asked before the first request, five minutes before what it gave ends
/// ([`Credentials::expires_at`]), and once when a server calls that expired. Credentials without an
/// end serve until a server does.
///
/// What AWS's own SDK knows and this crate does not, such as asking for the code of a second factor,
/// comes in by this door; the program brings the crate `aws-config` and a runtime for it:
///
/// ```
/// use aws_credential_types::Credentials as SdkCredentials;
/// use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
/// use hydrant::s3::credentials::{
///     Credentials, CredentialsError, CredentialsProvider, Identity, Provider,
/// };
///
/// /// What `aws_config::load_defaults(version).await.credentials_provider()` gives.
/// struct FromSdk<B> {
///     provider: SharedCredentialsProvider,
///     /// `move |asked| runtime.block_on(asked)`, with the runtime of tokio that it was made on.
///     block_on: B,
/// }
///
/// impl<B> CredentialsProvider for FromSdk<B>
/// where
///     B: Fn(future::ProvideCredentials<'_>) -> provider::Result + Send + Sync,
/// {
///     fn provide(&self) -> Result<Credentials, CredentialsError> {
///         let keys = (self.block_on)(self.provider.provide_credentials())
///             .map_err(|error| CredentialsError::provider(error.to_string()))?;
///         let token = keys.session_token().map(str::to_owned);
///         let end = keys.expiry().map(Into::into);
///         Credentials::new(keys.access_key_id(), keys.secret_access_key(), token, end)
///     }
/// }
///
/// # fn block_on(asked: future::ProvideCredentials<'_>) -> provider::Result {
/// #     use std::future::Future;
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     match std::pin::pin!(asked).poll(&mut context) {
/// #         std::task::Poll::Ready(keys) => keys,
/// #         std::task::Poll::Pending => unreachable!("keys at hand"),
/// #     }
/// # }
/// # fn main() -> hydrant::Result<()> {
/// let keys = SdkCredentials::new("AKID", "secret", None, None, "own");
/// let provider = SharedCredentialsProvider::new(keys);
/// let provider = Provider::new(FromSdk { provider, block_on });
/// let builder = hydrant::Hydrant::builder();
/// let hydrant = builder.s3(|s3| s3.identity = Some(Identity::Provider(provider))).build()?;
/// # let signer = hydrant.s3("bucket")?.who_signs().wait()?;
/// # assert!(format!("{signer:?}").contains("AKID"));
/// # Ok(())
/// # }
/// ```
pub trait CredentialsProvider: Send + Sync {
    /// Gives credentials that are good now. It runs on the engine's control thread, where it may
    /// block; names are looked up there too, so it should not take seconds.
    ///
    /// # Errors
    /// What keeps it from that: [`CredentialsError::provider`]. It is asked again after 1 s, then
    /// 2 s, 4 s, up to a minute; what it gave before serves until it ends.
    fn provide(&self) -> Result<Credentials, CredentialsError>;
}

impl<F> CredentialsProvider for F
where
    F: Fn() -> Result<Credentials, CredentialsError> + Send + Sync,
{
    fn provide(&self) -> Result<Credentials, CredentialsError> {
        self()
    }
}

/// A source of credentials with what it gave last. Clones share both: give one to several stores, and
/// it is asked once for all.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

/// Clones of one are equal, and no others.
impl PartialEq for Provider {
    fn eq(&self, other: &Provider) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Provider {}

struct Inner {
    source: Source,
    limits: CredentialsLimits,
    state: Mutex<State>,
}

enum Source {
    /// Environment, profiles, services.
    Chain {
        chain: Chain,
        #[cfg(feature = "tls")]
        tls: Box<crate::s3::tls::TlsSource>,
    },
    Own(Arc<dyn CredentialsProvider>),
}

#[derive(Default)]
struct State {
    cache: Cache,
    /// Who waits for the refresh that is under way.
    waiting: Vec<Waker>,
}

impl State {
    fn wake_later(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }
}

impl Provider {
    /// Takes a source of one's own.
    pub fn new(provider: impl CredentialsProvider + 'static) -> Provider {
        let source = Source::Own(Arc::new(provider));
        Provider::of(source, CredentialsLimits::default())
    }

    /// The same source of one's own, with other limits: of them it is held to
    /// [`CredentialsLimits::refresh`]. What it gave so far is not taken along. A source of the
    /// environment stays as it is.
    pub fn with_limits(&self, limits: CredentialsLimits) -> Provider {
        match &self.0.source {
            Source::Own(own) => Provider::of(Source::Own(Arc::clone(own)), limits),
            Source::Chain { .. } => self.clone(),
        }
    }

    #[cfg(feature = "tls")]
    pub(in crate::s3) fn of_chain(chain: Chain, tls: crate::s3::tls::TlsSource) -> Provider {
        let limits = chain.limits.clone();
        Provider::of(Source::Chain { chain, tls: Box::new(tls) }, limits)
    }

    #[cfg(not(feature = "tls"))]
    pub(in crate::s3) fn of_chain(chain: Chain) -> Provider {
        let limits = chain.limits.clone();
        Provider::of(Source::Chain { chain }, limits)
    }

    fn of(source: Source, limits: CredentialsLimits) -> Provider {
        Provider(Arc::new(Inner { source, limits, state: Mutex::default() }))
    }

    /// Credentials that are good now; waits where there are none.
    pub(in crate::s3) async fn get(&self, core: &Core) -> Result<Held, CredentialsError> {
        std::future::poll_fn(|cx| {
            loop {
                let mut state = self.lock();
                match state.cache.ask(own_clock(core)) {
                    Turn::Use(held) => return Poll::Ready(Ok(held)),
                    Turn::Failed(error) => return Poll::Ready(Err(error)),
                    Turn::Wait => {
                        state.wake_later(cx.waker());
                        return Poll::Pending;
                    }
                    Turn::UseAndRefresh(held) => {
                        drop(state);
                        self.refresh(core);
                        return Poll::Ready(Ok(held));
                    }
                    Turn::Refresh => {
                        drop(state);
                        self.refresh(core);
                    }
                }
            }
        })
        .await
    }

    /// Asks the source once for others than these, which serve meanwhile; tells whether others are held.
    pub(in crate::s3) async fn renew(&self, core: &Core, which: &Arc<Credentials>) -> bool {
        let mut has_begun = false;
        std::future::poll_fn(|cx| {
            loop {
                let mut state = self.lock();
                match state.cache.renew(own_clock(core), which, has_begun) {
                    Renewal::Done => return Poll::Ready(true),
                    Renewal::Failed => return Poll::Ready(false),
                    Renewal::Wait => {
                        state.wake_later(cx.waker());
                        return Poll::Pending;
                    }
                    Renewal::Begin => {
                        has_begun = true;
                        drop(state);
                        self.refresh(core);
                    }
                }
            }
        })
        .await
    }

    /// A server has called these credentials expired.
    pub(in crate::s3) fn expired(&self, which: &Arc<Credentials>) {
        self.lock().cache.expired(which);
    }

    /// Starts the refresh that the cache has asked for. It belongs to no request, and goes on when
    /// the request that began it is dropped.
    fn refresh(&self, core: &Core) {
        let mut refresh = Refresh { provider: self.clone(), core: core.clone(), answer: None };
        let task = core.spawn(async move {
            let answer = refresh.fetch().await;
            refresh.keep(answer);
        });
        // A task that was refused has been dropped, which has ended the refresh.
        if let Ok(task) = task {
            task.detach();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refresh under way. Its end is told in any case, also when the engine stops.
struct Refresh {
    provider: Provider,
    core: Core,
    answer: Option<Result<Fetched, CredentialsError>>,
}

impl Refresh {
    async fn fetch(&self) -> Result<Fetched, CredentialsError> {
        let inner = &self.provider.0;
        let limit = inner.limits.refresh;
        let fetched = match &inner.source {
            Source::Chain { chain, .. } => {
                let outside = OnCore {
                    core: &self.core,
                    limits: &inner.limits,
                    #[cfg(feature = "tls")]
                    tls: match &inner.source {
                        Source::Chain { tls, .. } => tls,
                        Source::Own(_) => unreachable!("matched a moment ago"),
                    },
                };
                self.core.timeout(limit, chain.fetch(&outside)).await
            }
            Source::Own(own) => self.core.timeout(limit, self.own(own)).await,
        };
        fetched.unwrap_or_else(|_| {
            let problem = format!("no answer within {} s (refresh)", limit.as_secs());
            Err(CredentialsError::Source { source_name: "the source".into(), problem })
        })
    }

    async fn own(&self, own: &Arc<dyn CredentialsProvider>) -> Result<Fetched, CredentialsError> {
        let own = Arc::clone(own);
        let given = self.core.blocking(move || own.provide()).await;
        let credentials =
            given.map_err(|error| CredentialsError::provider(error.to_string()))??;
        Ok(Fetched { credentials, source: "the program's own provider".to_owned() })
    }

    fn keep(&mut self, answer: Result<Fetched, CredentialsError>) {
        self.answer = Some(answer);
    }

    fn tell(&self, ended: Result<Held, (CredentialsError, u64)>) {
        match ended {
            Ok(held) => {
                let keys = &held.credentials;
                let end = keys.expires_at().map_or("no known end".to_owned(), |end| {
                    format!("good until {}", Iso8601(end))
                });
                let (id, source) = (keys.access_key_id(), &held.source);
                self.core.note(format_args!("credentials {id} from {source}, {end}"));
            }
            Err((error, left_alone_s)) => self.core.report(format_args!(
                "credentials could not be renewed: {error} (asked again after {left_alone_s} s)"
            )),
        }
    }
}

impl Drop for Refresh {
    fn drop(&mut self) {
        let given_up = || Err(CredentialsError::provider("the engine stops, or is too busy"));
        let was_cut = self.answer.is_none();
        let answer = self.answer.take().unwrap_or_else(given_up);
        let answer = answer.map(|fetched| (fetched.credentials, fetched.source));
        let now: Timestamp = own_clock(&self.core);
        let mut state = self.provider.lock();
        let ended = state.cache.answered(now, answer);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        if !was_cut {
            self.tell(ended);
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.0.source {
            Source::Chain { chain, .. } => format!("{:?}", chain.env),
            Source::Own(_) => "own".to_owned(),
        };
        f.debug_struct("Provider").field("source", &source).finish_non_exhaustive()
    }
}
