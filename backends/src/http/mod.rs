//! Objects behind `http://` and `https://` URLs, to be read.
//!
//! They come by the same connections, retries and readers of ranges as those of S3, which this room
//! adds redirects to, and servers that know no ranges or no HEAD. It sends no credentials anywhere
//! (SEC-3), and never writes, deletes or lists: plain HTTP has no words for that.

mod reader;
mod redirect;
mod store;

pub use redirect::RedirectError;
pub(crate) use store::HttpStore;
