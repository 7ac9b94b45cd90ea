//! Building a [`Hydrant`].

use std::fmt;
use std::sync::{Arc, Mutex};

use hydrant_engine::{Config, Driven, DriverChoice, Engine, EngineBuilder};

use super::{Env, Hydrant, Inner};
use crate::error::Result;
use crate::mem::{MemConfig, MemStores};
use crate::pipeline::TransferLimits;
use crate::s3::S3Config;
use crate::s3::credentials::Identity;

/// Collects settings; what is not set is taken from the environment or has a default.
pub struct HydrantBuilder {
    engine: EngineBuilder,
    transfer: TransferLimits,
    s3: S3Config,
    mem: MemConfig,
    env: Env,
}

impl HydrantBuilder {
    pub(super) fn new() -> HydrantBuilder {
        HydrantBuilder {
            engine: Engine::builder(),
            transfer: TransferLimits::default(),
            s3: S3Config::default(),
            mem: MemConfig::default(),
            env: Box::new(|name| std::env::var(name).ok()),
        }
    }

    /// Cores (threads with a ring each); 0 is one for each CPU.
    pub fn cores(mut self, cores: usize) -> Self {
        self.engine = self.engine.cores(cores);
        self
    }

    /// The size of the pool in bytes: all payload memory there is (POOL-1).
    pub fn pool_bytes(mut self, bytes: usize) -> Self {
        self.engine = self.engine.pool_bytes(bytes);
        self
    }

    /// Chooses who carries the I/O out; by default io_uring where the kernel allows it.
    pub fn driver(mut self, driver: DriverChoice) -> Self {
        self.engine = self.engine.driver(driver);
        self
    }

    /// Changes any limit of the engine.
    pub fn engine(mut self, change: impl FnOnce(&mut Config)) -> Self {
        self.engine = self.engine.configure(change);
        self
    }

    /// How transfers are cut. Connections outside of their limits count as the limit (LIMIT-1).
    pub fn transfer(mut self, limits: TransferLimits) -> Self {
        self.transfer = limits.with(None, None);
        self
    }

    /// Changes how S3 stores are opened: endpoint, region, address style, identity, limits. Limits of
    /// connections, TLS and retries hold for URLs, too.
    pub fn s3(mut self, change: impl FnOnce(&mut S3Config)) -> Self {
        change(&mut self.s3);
        self
    }

    /// Limits of `mem://` stores.
    pub fn mem(mut self, config: MemConfig) -> Self {
        self.mem = config;
        self
    }

    /// Requests to S3 are not signed.
    pub fn anonymous(self) -> Self {
        self.s3(|s3| s3.identity = Some(Identity::Anonymous))
    }

    /// Where environment variables are looked up instead of the process's environment.
    pub fn env(mut self, env: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.env = Box::new(env);
        self
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// What [`EngineBuilder::start`] says: a driver that was demanded is refused, no memory for the
    /// pool.
    pub fn build(self) -> Result<Hydrant> {
        let engine = self.engine.clone().start()?;
        Ok(self.build_on(engine))
    }

    /// Starts an engine without core threads, which the loop of this thread drives.
    ///
    /// # Errors
    /// What [`EngineBuilder::start_here`] says.
    pub fn build_here(self) -> Result<(Hydrant, Driven)> {
        let driven = self.engine.clone().start_here()?;
        Ok((self.build_on(driven.engine().clone()), driven))
    }

    /// Stores on an engine that runs already. What this builder says of the engine is not looked at;
    /// whoever started the engine stops it.
    pub fn build_on(self, engine: Engine) -> Hydrant {
        let (transfer, s3, env) = (self.transfer, self.s3, self.env);
        let mem = MemStores::new(self.mem);
        let (buckets, origins) = (Mutex::default(), Mutex::default());
        Hydrant { inner: Arc::new(Inner { engine, transfer, s3, env, mem, buckets, origins }) }
    }
}

impl fmt::Debug for HydrantBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HydrantBuilder")
            .field("engine", &self.engine)
            .field("transfer", &self.transfer)
            .field("s3", &self.s3)
            .finish_non_exhaustive()
    }
}
