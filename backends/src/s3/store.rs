//! The store of one bucket.

use std::any::Any;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use hydrant_engine::{Buf, Core};

use super::call::send;
use super::checksum::{Checks, ChecksumConfig, ChecksumPlace};
use super::choice::EndpointLimits;
use super::copy::{CopyLimits, copy_within};
use super::credentials::{CredentialsLimits, Identity};
use super::delete::delete_batch;
use super::elsewhere::NamedRegion;
use super::endpoint::{Endpoint, EndpointOptions, Scheme};
use super::error::S3ErrorKind;
use super::first_byte::FirstByteLimits;
use super::kept;
use super::ops::{
    Access, DELETE_KEYS_MAX, DeleteObject, GetObject, HeadObject, ListEntries, ListObjectsV2,
    Operation,
};
use super::pace::PaceLimits;
use super::put::put;
use super::reader::S3Reader;
use super::request::PayloadSigning;
use super::retry::RetryPolicy;
use super::settings::{Settings, Sources, with_profile};
use super::upload;
use crate::condition::{ReadOptions, WriteIf};
use crate::error::{Error, ErrorKind, Result};
use crate::http1::HttpLimits;
use crate::object::{ListEntry, ListPage, ListRequest, ObjectMeta, PutOptions};
use crate::store::{
    CopiedWithin, CopyWithin, LocalFuture, ObjectAt, ObjectStore, PartRules, Reader, Resumed,
    Upload, UploadSource,
};

/// How a store speaks to its server.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct S3Config {
    /// Where the server is, the region, the style of addresses.
    pub endpoint: EndpointOptions,
    /// Who signs. `None` asks the environment, the profile, web identity, and the service of the
    /// container or the instance, in this order. Where nothing of that is set up, requests to an
    /// endpoint of one's own go unsigned, and AWS is asked with the keys of the instance's role.
    pub identity: Option<Identity>,
    /// The profile, instead of the one that `AWS_PROFILE` names. Keys in the environment are not looked
    /// at where it is set.
    pub profile: Option<String>,
    /// What asking for credentials may cost.
    pub credentials: CredentialsLimits,
    /// How TLS is spoken; `None` trusts what the file named by `AWS_CA_BUNDLE` holds, or else what the
    /// system does.
    #[cfg(feature = "tls")]
    pub tls: Option<hydrant_engine::TlsConfig>,
    /// What `tls` is made of where that is `None`: when it is needed, so that nothing of the system is
    /// read for a server that is asked in the open.
    #[cfg(feature = "tls")]
    pub tls_settings: Option<hydrant_engine::TlsConfigBuilder>,
    /// How several endpoints of one store share its requests, and which are left alone.
    pub endpoints: EndpointLimits,
    /// Limits of connections.
    pub http: HttpLimits,
    /// Limits of retries.
    pub retry: RetryPolicy,
    /// How the number of requests under way follows a server that asks for fewer.
    pub pace: PaceLimits,
    /// How long the answer to a part of an upload is waited for, as the server's answers have been.
    pub first_byte: FirstByteLimits,
    /// Checksums of what is written and read.
    pub checksums: ChecksumConfig,
    /// What signatures say of the bytes of objects and parts.
    pub payload_signing: PayloadSigning,
    /// Where it is noted what has come of an upload that is to be carried on; `None` is
    /// `$XDG_STATE_HOME/hydrant`, or `~/.local/state/hydrant`.
    pub state_dir: Option<PathBuf>,
    /// Limits of copies that the server makes.
    pub copy: CopyLimits,
    /// Sources of credentials that were opened with these settings, shared by all stores.
    pub(super) sources: Arc<Sources>,
}

impl S3Config {
    /// Settings that were made of `others` share their sources of credentials, unless they ask them in
    /// another way.
    pub(crate) fn settle_sources(&mut self, others: &S3Config) {
        let ask_alike = self.profile == others.profile && self.credentials == others.credentials;
        if !ask_alike || !self.trusts_as(others) {
            self.sources = Arc::default();
        }
    }

    #[cfg(feature = "tls")]
    fn trusts_as(&self, others: &S3Config) -> bool {
        match (&self.tls, &others.tls) {
            (None, None) => self.tls_settings.is_none() && others.tls_settings.is_none(),
            (Some(own), Some(other)) => own.is_same(other),
            _ => false,
        }
    }

    #[cfg(not(feature = "tls"))]
    fn trusts_as(&self, _: &S3Config) -> bool {
        true
    }
}

/// One bucket of an S3 server.
#[derive(Debug)]
pub struct S3Store {
    shared: Arc<Shared>,
    /// The server was found not to know DeleteObjects.
    deletes_one_by_one: AtomicBool,
}

/// What all readers and uploads of a store share; none of it changes but the region.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    /// Further servers of the same store.
    pub(super) others: Vec<Endpoint>,
    pub(super) identity: Identity,
    /// Set where the endpoint's scheme is `https`.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<hydrant_engine::TlsConfig>,
    pub(super) checks: Checks,
    pub(super) config: S3Config,
    pub(super) named_region: NamedRegion,
}

/// Requests over one connection to AWS, which was seen to close after that many.
const AWS_REQUESTS_PER_CONNECTION: u32 = 100;

/// How long an address is used that AWS has answered its name with: each answer has eight of many.
const AWS_ADDRESSES_KEPT: Duration = Duration::from_secs(300);

impl S3Store {
    /// Opens a bucket; nothing is asked of the server yet. `env` looks up environment variables. The
    /// files of profiles are read, and for an `https` endpoint the certificates to trust.
    ///
    /// # Errors
    /// A bad endpoint, half a pair of credentials, a profile that cannot be read, no certificate to
    /// trust; an `https` endpoint where this crate was built without its feature `tls`.
    pub fn open(
        bucket: &str,
        mut config: S3Config,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<S3Store> {
        let profile = config.profile.clone();
        let env = &|name: &str| match &profile {
            Some(profile) => with_profile(profile, name, env),
            None => env(name),
        };
        let settings = Settings::read(&config, env)?;
        let options = settings.endpoint(&config.endpoint);
        let own_endpoint = options.url.is_some();
        let mut others = Endpoint::resolve_all(bucket, &options).map_err(config_error)?;
        let endpoint = others.remove(0);
        let identity = match config.identity.take() {
            Some(identity) => identity,
            None => settings.identity(&config, endpoint.is_amazon(), env)?,
        };
        if !own_endpoint {
            let limit = &mut config.http.requests_per_connection_max;
            limit.get_or_insert(AWS_REQUESTS_PER_CONNECTION);
            config.http.addresses.kept.get_or_insert(AWS_ADDRESSES_KEPT);
        }
        config.state_dir = config.state_dir.take().or_else(|| kept::state_dir(env));
        let mut shared = Shared::open(endpoint, identity, config, env)?;
        shared.others = others;
        Ok(S3Store { shared: Arc::new(shared), deletes_one_by_one: AtomicBool::new(false) })
    }
}

impl S3Store {
    /// The bucket.
    pub fn bucket(&self) -> &str {
        self.shared.endpoint.bucket()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Shared {
    /// # Errors
    /// No certificate to trust; an `https` endpoint where TLS is not spoken; a policy of checksums in
    /// the environment that is none.
    pub(super) fn open(
        endpoint: Endpoint,
        identity: Identity,
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "TLS is taken out of it"))]
        mut config: S3Config,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Shared> {
        #[cfg(feature = "tls")]
        let tls = match endpoint.scheme() {
            Scheme::Http => None,
            Scheme::Https => {
                Some(super::tls::config(config.tls.take(), config.tls_settings.take(), env)?)
            }
        };
        #[cfg(not(feature = "tls"))]
        if endpoint.scheme() == Scheme::Https {
            return Err(speaks_no_tls(&endpoint));
        }
        let mut checksums = config.checksums;
        if config.payload_signing == PayloadSigning::Signed
            && checksums.place == ChecksumPlace::Trailer
        {
            checksums.place = ChecksumPlace::SignedTrailer;
        }
        let checks = Checks::settle(&checksums, &identity, env)?;
        Ok(Shared {
            endpoint,
            others: Vec::new(),
            identity,
            #[cfg(feature = "tls")]
            tls,
            checks,
            config,
            named_region: NamedRegion::default(),
        })
    }

    /// Whether signatures cover the bytes of objects: where there are signatures.
    pub(super) fn signs_payload(&self) -> bool {
        self.config.payload_signing == PayloadSigning::Signed
            && !matches!(self.identity, Identity::Anonymous)
    }

    /// Every server of the store, at least one.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        std::iter::once(&self.endpoint).chain(&self.others)
    }

    /// The same settings at one other endpoint.
    pub(super) fn at(&self, endpoint: Endpoint) -> Shared {
        Shared {
            named_region: self.named_region.of_another_bucket(&endpoint),
            endpoint,
            others: Vec::new(),
            identity: self.identity.clone(),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            checks: self.checks,
            config: self.config.clone(),
        }
    }

    /// The same settings at the same servers, for another bucket or for the service itself.
    pub(super) fn with<E>(
        &self,
        change: impl Fn(&Endpoint) -> std::result::Result<Endpoint, E>,
    ) -> std::result::Result<Shared, E> {
        let others = self.others.iter().map(&change).collect::<std::result::Result<_, E>>()?;
        Ok(Shared { others, ..self.at(change(&self.endpoint)?) })
    }

    pub(super) fn uri_of(&self, key: &str) -> String {
        if self.endpoint.is_plain() {
            // The query may hold a signature (SEC-1).
            return format!("{}{}", self.endpoint, key.split('?').next().unwrap_or_default());
        }
        format!("s3://{}/{key}", self.endpoint.bucket())
    }

    /// A condition on an object that is not there does not hold, which S3 tells as a 404: of the object
    /// alone, for a bucket or an upload that is not there is another matter.
    pub(super) fn unless_absent(&self, error: Error, wanted: Option<WriteIf>, key: &str) -> Error {
        let is_absent =
            matches!(error.kind(), ErrorKind::S3(error) if error.kind() == S3ErrorKind::NotFound);
        match wanted {
            Some(wanted @ WriteIf::Is(_)) if is_absent => {
                wanted.check(&self.uri_of(key), None).err().unwrap_or(error)
            }
            _ => error,
        }
    }

    /// What an operation is called in messages.
    pub(super) fn name_of(&self, operation: &'static str) -> &'static str {
        match operation {
            GetObject::NAME if self.endpoint.is_plain() => "GET",
            HeadObject::NAME if self.endpoint.is_plain() => "HEAD",
            name => name,
        }
    }

    pub(super) fn ignores_ranges(&self, key: &str) -> Error {
        ErrorKind::Unsupported(format!(
            "the server of {} ignores ranges: it answered a ranged GET with the whole object",
            self.uri_of(key)
        ))
        .into()
    }

    pub(super) fn tells_no_size(&self, key: &str, part_bytes: usize) -> Error {
        ErrorKind::Unsupported(format!(
            "the server of {} does not tell its size, and it has more than the {part_bytes} bytes of a \
             part: such an object is read in one part, so ask for larger ones",
            self.uri_of(key)
        ))
        .into()
    }

    pub(super) fn unexpected(&self, key: &str, detail: impl ToString) -> Error {
        let detail = detail.to_string();
        ErrorKind::Integrity { object: self.uri_of(key), detail }.into()
    }
}

impl ObjectStore for S3Store {
    fn uri_of(&self, key: &str) -> String {
        self.shared.uri_of(key)
    }

    fn server(&self) -> Option<String> {
        Some(self.shared.endpoint.service().to_string())
    }

    fn part_rules(&self) -> PartRules {
        PartRules { s3_limits: true, single_put: true }
    }

    fn head<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<ObjectMeta>> {
        static PLAIN: ReadOptions = ReadOptions { read_if: None, version_id: None, s3: None };
        self.head_with(core, key, &PLAIN)
    }

    fn head_with<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        options: &'a ReadOptions,
    ) -> LocalFuture<'a, Result<ObjectMeta>> {
        core.boxed(async move {
            let mut operation = HeadObject::new(key);
            operation.0.version_id.clone_from(&options.version_id);
            options.s3.iter().for_each(|asked| asked.describe(&mut operation.0));
            let meta: ObjectMeta = send(core, &self.shared, &operation).await?.into();
            // A HEAD brings no bytes that a condition sent along could save.
            if let Some(read_if) = options.read_if {
                read_if.check(&self.uri_of(key), meta.etag.as_ref())?;
            }
            Ok(meta)
        })
    }

    fn reader(&self, key: &str) -> Arc<dyn Reader> {
        Arc::new(S3Reader::new(&self.shared, key, &ReadOptions::default()))
    }

    fn reader_with(&self, key: &str, options: &ReadOptions) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(S3Reader::new(&self.shared, key, options)))
    }

    fn put<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        buf: Buf,
        span: Range<usize>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, (Result<ObjectMeta>, Buf)> {
        core.boxed(put(core, &self.shared, key, buf, span, options))
    }

    fn begin_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        _size_bytes: Option<u64>,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Arc<dyn Upload>>> {
        core.boxed(upload::begin(core, &self.shared, key, options))
    }

    fn resume_upload<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        source: &'a UploadSource,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Resumed>> {
        core.boxed(kept::resume(core, &self.shared, key, source, options))
    }

    fn discard_kept<'a>(
        &'a self,
        core: &'a Core,
        key: &'a str,
        options: &'a PutOptions,
    ) -> LocalFuture<'a, Result<Option<String>>> {
        core.boxed(kept::discard(core, &self.shared, key, options))
    }

    fn copy_within<'a>(
        &'a self,
        core: &'a Core,
        from: &'a ObjectAt,
        key: &'a str,
        how: CopyWithin<'a>,
    ) -> LocalFuture<'a, Result<CopiedWithin>> {
        core.boxed(async move {
            let store: &dyn Any = &*from.store;
            match store.downcast_ref::<S3Store>() {
                Some(store) => {
                    copy_within(core, &self.shared, (&store.shared, &from.key), key, how).await
                }
                None => Ok(CopiedWithin::No(None)),
            }
        })
    }

    fn delete<'a>(&'a self, core: &'a Core, key: &'a str) -> LocalFuture<'a, Result<()>> {
        core.boxed(async move {
            send(core, &self.shared, &DeleteObject::new(key)).await?;
            Ok(())
        })
    }

    fn delete_batch_max(&self) -> usize {
        if self.deletes_one_by_one.load(Relaxed) { 1 } else { DELETE_KEYS_MAX }
    }

    fn delete_batch<'a>(
        &'a self,
        core: &'a Core,
        keys: &'a [String],
    ) -> LocalFuture<'a, Result<Vec<Result<()>>>> {
        core.boxed(async move {
            let outcomes = delete_batch(core, &self.shared, keys).await;
            if let Err(error) = &outcomes
                && matches!(error.kind(), ErrorKind::Unsupported(_))
                && !self.deletes_one_by_one.swap(true, Relaxed)
            {
                core.report(format_args!("{error}"));
            }
            outcomes
        })
    }

    fn list_page<'a>(
        &'a self,
        core: &'a Core,
        request: &'a ListRequest,
    ) -> LocalFuture<'a, Result<ListPage>> {
        core.boxed(list_page(core, &self.shared, request))
    }
}

async fn list_page(core: &Core, shared: &Arc<Shared>, list: &ListRequest) -> Result<ListPage> {
    let operation = ListEntries(ListObjectsV2 {
        prefix: Some(list.prefix.clone()),
        delimiter: list.delimiter.map(String::from),
        start_after: list.start_after.clone(),
        continuation_token: list.continuation.clone(),
        max_keys: list.entries_max,
        ..ListObjectsV2::default()
    });
    let page = send(core, shared, &operation).await?;
    let mut entries = page.objects;
    entries.extend(page.common_prefixes.into_iter().map(ListEntry::Prefix));
    entries.sort_by(|a, b| a.key().as_bytes().cmp(b.key().as_bytes()));
    Ok(ListPage { entries, continuation: page.next_continuation_token })
}

/// Who asks for a write, and who pays.
pub(super) fn access_of(options: &PutOptions) -> Access {
    options.s3.as_ref().map(|asked| asked.access.clone()).unwrap_or_default()
}

#[cfg(not(feature = "tls"))]
pub(super) fn speaks_no_tls(endpoint: &Endpoint) -> Error {
    let way_out = match endpoint.is_plain() {
        true => "",
        false => ", or use an http:// endpoint (AWS_ENDPOINT_URL_S3)",
    };
    ErrorKind::Unsupported(format!(
        "{endpoint} asks for TLS, which this build does not speak: build with the feature `tls`{way_out}"
    ))
    .into()
}

fn config_error(error: impl ToString) -> Error {
    ErrorKind::Config(error.to_string()).into()
}
