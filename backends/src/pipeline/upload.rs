//! An upload that is aborted when whatever holds it goes away (DATA-3).

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use hydrant_engine::{Core, Error as EngineError};

use crate::error::{Error, ErrorKind, Result};
use crate::object::{ObjectMeta, PutOptions};
use crate::store::{ObjectStore, PartTag, Upload};

/// Holds an upload until it is completed. Dropped before, it starts a clean-up task that aborts.
pub(super) struct UploadGuard {
    core: Core,
    upload: Option<Arc<dyn Upload>>,
}

impl UploadGuard {
    /// Begins an upload. Where the caller goes away meanwhile the answer is still awaited, because
    /// only the answer names what has to be aborted.
    pub(super) async fn begin(
        core: &Core,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        size_bytes: Option<u64>,
        options: &PutOptions,
    ) -> Result<UploadGuard> {
        let slot = Rc::new(Slot::default());
        let giver = Giver(Rc::clone(&slot));
        let (on, store) = (core.clone(), Arc::clone(store));
        let (key, options) = (key.to_owned(), options.clone());
        core.spawn_cleanup(async move {
            let begun = store.begin_upload(&on, &key, size_bytes, &options).await;
            let guard = begun.map(|upload| UploadGuard { core: on.clone(), upload: Some(upload) });
            *giver.0.begun.borrow_mut() = Some(guard);
        })?;
        slot.wait().await
    }

    /// Holds an upload that can be carried on: it is never aborted, and whoever meets an error is
    /// told where it lies.
    pub(super) fn of_kept(core: &Core, upload: Arc<dyn Upload>) -> UploadGuard {
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
            Err(error) if matches!(error.kind(), ErrorKind::NotDurable { .. }) => {
                self.upload = None;
                Err(error)
            }
            Err(error) => Err(self.abort(error).await),
        }
    }

    /// Ends because of `error`: aborts what cannot be carried on. What could not be cleaned up is said in
    /// the error.
    pub(super) async fn abort(mut self, error: Error) -> Error {
        if let Some(left) = self.upload().kept_in() {
            self.upload = None;
            return ErrorKind::Kept { error, left }.into();
        }
        self.discard(error).await
    }

    /// Aborts because of `error`, though the upload could be carried on.
    pub(super) async fn discard(mut self, error: Error) -> Error {
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
        if let Some(left) = upload.kept_in() {
            core.report(format_args!("a copy was given up; what had come is kept in {left}"));
            return;
        }
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

/// Where a guard waits for whoever began the upload. One that nobody takes is dropped with the slot.
#[derive(Default)]
struct Slot {
    begun: RefCell<Option<Result<UploadGuard>>>,
    waiting: RefCell<Option<Waker>>,
}

/// The side that fills the slot; when it goes there is nothing more to wait for.
struct Giver(Rc<Slot>);

impl Slot {
    async fn wait(self: Rc<Slot>) -> Result<UploadGuard> {
        std::future::poll_fn(|cx| {
            if let Some(begun) = self.begun.borrow_mut().take() {
                return Poll::Ready(begun);
            }
            if Rc::strong_count(&self) == 1 {
                return Poll::Ready(Err(ErrorKind::Engine(EngineError::Cancelled).into()));
            }
            *self.waiting.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Drop for Giver {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.waiting.borrow_mut().take() {
            waiting.wake();
        }
    }
}
