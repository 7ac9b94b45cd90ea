//! What comes from a store in pages, and is handed to C a few entries at a time.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use hydrant::s3::{Operation, S3Client};

use crate::args::{self, Out};
use crate::engine::Engine;
use crate::error::Failure;
use crate::guard::Entry;
use crate::handle::Kind;
use crate::status::HYD_E_BUSY;

/// Where pages come from, and how C sees their entries.
pub trait Source: Send + 'static {
    type Page: Default + Send;
    type Entry;
    /// Points into the entry.
    type View;

    /// Waits for the next page; `None` behind the last, and after a failure.
    fn next_page(&mut self) -> Option<Result<Self::Page, Failure>>;

    fn entries(page: &Self::Page) -> &[Self::Entry];

    fn view(entry: &Self::Entry) -> Self::View;
}

/// What S3 is asked for, page by page.
pub struct Asked<A> {
    client: S3Client,
    /// Asks for the next page; `None` behind the last, and after a failure.
    next: Option<A>,
}

impl<A> Asked<A>
where
    A: Operation<Output: Send> + Clone + Send + 'static,
{
    pub fn new(client: S3Client, first: A) -> Asked<A> {
        Asked::behind(client, Some(first))
    }

    /// What asks for the pages behind one that was asked for already.
    pub fn behind(client: S3Client, next: Option<A>) -> Asked<A> {
        Asked { client, next }
    }

    /// Waits for the next page. `follow` takes it apart, and says what asks for the one behind it.
    pub fn ask<P>(
        &mut self,
        follow: impl FnOnce(A, A::Output) -> (P, Option<A>),
    ) -> Option<Result<P, Failure>> {
        let ask = self.next.take()?;
        let page = self.client.send(ask.clone()).wait().map(|page| follow(ask, page));
        Some(page.map_err(Failure::from).map(|(page, next)| {
            self.next = next;
            page
        }))
    }
}

/// A line of a listing by keys.
pub enum Line<E> {
    Entry(E),
    /// What several keys have in common up to the delimiter, and no entry.
    Prefix(String),
}

impl<E> Line<E> {
    /// Entries and prefixes of one page, in the order of their keys' bytes; entries of one key stay as they are.
    pub fn merged(
        entries: Vec<E>,
        prefixes: Vec<String>,
        key: impl Fn(&E) -> &str,
    ) -> Vec<Line<E>> {
        let rolled_up = !prefixes.is_empty();
        let entries = entries.into_iter().map(Line::Entry);
        let mut lines: Vec<_> = entries.chain(prefixes.into_iter().map(Line::Prefix)).collect();
        if rolled_up {
            lines.sort_by(|one, other| one.key(&key).cmp(other.key(&key)));
        }
        lines
    }

    fn key(&self, of: impl Fn(&E) -> &str) -> &str {
        match self {
            Line::Entry(entry) => of(entry),
            Line::Prefix(prefix) => prefix,
        }
    }

    /// What is listed, where that is an entry.
    pub fn entry(&self) -> Option<&E> {
        match self {
            Line::Entry(entry) => Some(entry),
            Line::Prefix(_) => None,
        }
    }
}

/// What a handle of such a listing holds.
pub struct Pages<S: Source> {
    engine: Arc<Engine>,
    state: Mutex<State<S>>,
}

pub struct State<S: Source> {
    source: S,
    pub page: S::Page,
    /// The first of those that were handed out last, and the first of those that were not.
    given: usize,
    next: usize,
}

impl<S: Source> Pages<S> {
    /// Begins with a page, which may be empty.
    pub fn new(engine: Arc<Engine>, source: S, page: S::Page) -> Pages<S> {
        Pages { engine, state: Mutex::new(State { source, page, given: 0, next: 0 }) }
    }

    /// For one call, of which the engine is poisoned by a panic.
    ///
    /// # Errors
    /// `BUSY` while another call has it.
    pub fn lock(&self, entry: &mut Entry) -> Result<MutexGuard<'_, State<S>>, Failure>
    where
        Pages<S>: Kind,
    {
        entry.uses(&self.engine.poison)?;
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(state)) => Ok(state.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let name = <Pages<S> as Kind>::NAME;
                Err(Failure::new(HYD_E_BUSY, format!("another thread is using this {name}")))
            }
        }
    }

    /// Writes the next entries, `max` at most, and how many; none is the end.
    ///
    /// # Safety
    /// `views` is NULL, or has room for `max` of them, and `count` is NULL, or writable.
    pub unsafe fn next(
        &self,
        entry: &mut Entry,
        views: *mut S::View,
        max: usize,
        count: *mut usize,
    ) -> Result<(), Failure>
    where
        Pages<S>: Kind,
    {
        // SAFETY: OWN-3, by the contract of this function.
        let (views, count) =
            unsafe { (args::array_out(views, max, "entries")?, Out::new(count, "count")?) };
        let mut state = self.lock(entry)?;
        state.refill()?;
        let found = S::entries(&state.page)[state.next..].iter().take(max);
        let mut filled = 0;
        for found in found {
            // SAFETY: OWN-3. The caller says that there is room for `max` of them.
            unsafe { views.add(filled).write(S::view(found)) };
            filled += 1;
        }
        state.given = state.next;
        state.next += filled;
        count.write(filled);
        Ok(())
    }
}

impl<S: Source> State<S> {
    /// The entry at `index` of those that were handed out last.
    ///
    /// # Errors
    /// `INVALID` where so many were not.
    pub fn given(&self, index: usize) -> Result<&S::Entry, Failure> {
        Ok(&S::entries(&self.page)[self.place_of(index)?])
    }

    /// Where in the page that is.
    ///
    /// # Errors
    /// As [`State::given`].
    pub fn place_of(&self, index: usize) -> Result<usize, Failure> {
        let given = self.next - self.given;
        if index < given {
            return Ok(self.given + index);
        }
        Err(Failure::invalid(format!("index is {index}, of {given} entries")))
    }

    /// Gets the next page where this one has been read. A page may be empty and not the last.
    fn refill(&mut self) -> Result<(), Failure> {
        while self.next == S::entries(&self.page).len() {
            let Some(page) = self.source.next_page() else { return Ok(()) };
            (self.page, self.given, self.next) = (page?, 0, 0);
        }
        Ok(())
    }
}
