//! The stores in memory of one client, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::MemStore;
use super::budget::Budget;
use crate::error::{ErrorKind, Result};

/// Limits of the stores in memory (LIMIT-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemConfig {
    /// Bytes that all objects of all stores take together, unfinished uploads and versions that are
    /// still read included; each object counts with its key and 512 bytes besides. Default 4 GiB.
    pub mem_bytes_max: u64,
    /// Stores. Default 1,024.
    pub mem_stores_max: usize,
}

impl Default for MemConfig {
    fn default() -> MemConfig {
        MemConfig { mem_bytes_max: 4 << 30, mem_stores_max: 1_024 }
    }
}

/// The stores in memory of one client. They live as long as it, or as what was opened from it.
#[derive(Debug)]
pub struct MemStores {
    config: MemConfig,
    budget: Arc<Budget>,
    stores: Mutex<BTreeMap<String, Arc<MemStore>>>,
}

impl MemStores {
    /// No store yet.
    pub fn new(config: MemConfig) -> MemStores {
        let budget = Arc::new(Budget::new(config.mem_bytes_max));
        MemStores { config, budget, stores: Mutex::default() }
    }

    /// The store of this name, made if it is asked for the first time.
    ///
    /// # Errors
    /// `Config` when there are `mem_stores_max` others.
    pub fn open(&self, name: &str) -> Result<Arc<MemStore>> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(name) {
            return Ok(Arc::clone(store));
        }
        if stores.len() >= self.config.mem_stores_max {
            let max = self.config.mem_stores_max;
            let text = format!("mem://{name} would be one store more than mem_stores_max = {max}");
            return Err(ErrorKind::Config(text).into());
        }
        let store = Arc::new(MemStore::new(name, Arc::clone(&self.budget)));
        stores.insert(name.to_owned(), Arc::clone(&store));
        Ok(store)
    }
}

impl Default for MemStores {
    fn default() -> MemStores {
        MemStores::new(MemConfig::default())
    }
}
