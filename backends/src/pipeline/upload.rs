//! An upload that is aborted when whatever holds it goes away (DATA-3).

use std::sync::Arc;

use hydrant_engine::Core;

use crate::error::{Error, ErrorKind, Result};
use crate::object::ObjectMeta;
use crate::store::{PartTag, Upload};

/// Holds an upload until it is completed. Dropped before, it starts a clean-up task that aborts.
pub(super) struct UploadGuard {
    core: Core,
    upload: Option<Arc<dyn Upload>>,
}

impl UploadGuard {
    pub(super) fn new(core: &Core, upload: Arc<dyn Upload>) -> UploadGuard {
        UploadGuard { core: core.clone(), upload: Some(upload) }
    }

    pub(super) fn upload(&self) -> Arc<dyn Upload> {
        Arc::clone(self.upload.as_ref().expect("present until it is completed or aborted"))
    }

    /// Completes the upload; a failure aborts it.
    pub(super) async fn complete(mut self, tags: &[PartTag]) -> Result<ObjectMeta> {
        match self.upload().complete(&self.core, tags).await {
            Ok(meta) => {
                self.upload = None;
                Ok(meta)
            }
            Err(error) => Err(self.abort(error).await),
        }
    }

    /// Aborts because of `error`. What could not be cleaned up is said in the error.
    pub(super) async fn abort(mut self, error: Error) -> Error {
        let aborted = self.upload().abort(&self.core).await;
        self.upload = None;
        match aborted {
            Ok(()) => error,
            Err(left) => ErrorKind::LeftBehind { error, left }.into(),
        }
    }
}

impl Drop for UploadGuard {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        let core = self.core.clone();
        let cleanup = async move {
            if let Err(error) = upload.abort(&core).await {
                // Nobody waits for this any more: the only one to tell is the person at the log.
                core.report(format_args!("an upload could not be aborted: {error}"));
            }
        };
        if let Err(error) = self.core.spawn_cleanup(cleanup) {
            self.core.report(format_args!("an upload could not be aborted: {error}"));
        }
    }
}
