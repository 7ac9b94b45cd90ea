//! Counters of what the server has been asked.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::Method;

/// What a server has been asked since it started. Counted on arrival: a request is here before its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Of these, the ones still open.
    pub connections_open: u64,
    /// `GET` requests.
    pub get: u64,
    /// `HEAD` requests.
    pub head: u64,
    /// `PUT` requests.
    pub put: u64,
    /// `POST` requests.
    pub post: u64,
    /// `DELETE` requests.
    pub delete: u64,
    /// Requests with any other method.
    pub other: u64,
}

impl ServerStats {
    /// Requests with any method.
    pub fn requests(&self) -> u64 {
        self.get + self.head + self.put + self.post + self.delete + self.other
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections_accepted: AtomicU64,
    connections_closed: AtomicU64,
    get: AtomicU64,
    head: AtomicU64,
    put: AtomicU64,
    post: AtomicU64,
    delete: AtomicU64,
    other: AtomicU64,
}

impl Counters {
    pub(crate) fn connection_accepted(&self) {
        self.connections_accepted.fetch_add(1, Relaxed);
    }

    pub(crate) fn connection_closed(&self) {
        self.connections_closed.fetch_add(1, Relaxed);
    }

    pub(crate) fn request(&self, method: &Method) {
        let counter = match *method {
            Method::GET => &self.get,
            Method::HEAD => &self.head,
            Method::PUT => &self.put,
            Method::POST => &self.post,
            Method::DELETE => &self.delete,
            _ => &self.other,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> ServerStats {
        // Closed is read first: a connection that closes in between is then counted as open, never as minus one.
        let closed = self.connections_closed.load(Relaxed);
        let accepted = self.connections_accepted.load(Relaxed);
        ServerStats {
            connections_accepted: accepted,
            connections_open: accepted.saturating_sub(closed),
            get: self.get.load(Relaxed),
            head: self.head.load(Relaxed),
            put: self.put.load(Relaxed),
            post: self.post.load(Relaxed),
            delete: self.delete.load(Relaxed),
            other: self.other.load(Relaxed),
        }
    }
}
