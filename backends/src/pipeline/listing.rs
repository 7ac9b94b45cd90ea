//! Listings, a page at a time.

use std::sync::Arc;

use hydrant_engine::Engine;

use crate::client::Task;
use crate::error::Result;
use crate::object::{ListEntry, ListPage, ListRequest};
use crate::store::ObjectStore;

/// The pages of a listing; one page is held at a time.
#[derive(Debug)]
pub struct Listing {
    engine: Engine,
    store: Arc<dyn ObjectStore>,
    request: ListRequest,
    ended: bool,
}

impl Listing {
    pub(crate) fn new(
        engine: Engine,
        store: Arc<dyn ObjectStore>,
        request: ListRequest,
    ) -> Listing {
        Listing { engine, store, request, ended: false }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// A page that failed: it is never an empty one, and the listing is over then.
    pub async fn next_page(&mut self) -> Option<Result<ListPage>> {
        let page = self.ask()?.await;
        Some(self.take_note(page))
    }

    /// The same, blocking this thread.
    ///
    /// # Errors
    /// As [`Listing::next_page`].
    pub fn next_page_wait(&mut self) -> Option<Result<ListPage>> {
        let page = self.ask()?.wait();
        Some(self.take_note(page))
    }

    /// All entries, blocking this thread once a page. An error ends it.
    pub fn entries_wait(mut self) -> impl Iterator<Item = Result<ListEntry>> {
        std::iter::from_fn(move || self.next_page_wait()).flat_map(|page| match page {
            Ok(page) => page.entries.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    fn ask(&self) -> Option<Task<ListPage>> {
        if self.ended {
            return None;
        }
        let (store, request) = (Arc::clone(&self.store), self.request.clone());
        Some(Task::run(
            &self.engine,
            move |core| async move { store.list_page(&core, &request).await },
        ))
    }

    fn take_note(&mut self, page: Result<ListPage>) -> Result<ListPage> {
        self.request.continuation = page.as_ref().ok().and_then(|page| page.continuation.clone());
        self.ended = self.request.continuation.is_none();
        page
    }
}
