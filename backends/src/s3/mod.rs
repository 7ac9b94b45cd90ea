//! S3: signing, XML, endpoints, credentials and retry decisions as pure functions, then the store.
//!
//! The pure files do no I/O, read no clock and draw no random number (SANS-1). Every operation is
//! plain data in [`ops`]; one function puts them on the connections of [`crate::http1`]: it writes
//! and signs each attempt anew, sends it, and decides with [`retry`] what a failure means.
//! [`S3Client`] runs any of them; [`S3Store`] is made of the same ones. Secrets appear in no log and no error (SEC-1),
//! and no request follows a redirect out of its store (SEC-3).

mod attempts;
mod aws_chunked;
mod call;
mod checksum;
mod choice;
mod client;
mod clock;
mod copy;
mod coverage;
pub mod credentials;
mod delete;
mod elsewhere;
pub mod encode;
pub mod endpoint;
mod error;
mod first_byte;
mod get;
mod hosts;
mod in_order;
mod kept;
pub mod ops;
mod options;
mod pace;
mod per_core;
mod plain;
pub mod presign;
mod put;
mod reader;
mod refusal;
mod request;
pub mod retry;
mod settings;
pub mod sign;
mod store;
pub mod time;
#[cfg(feature = "tls")]
mod tls;
mod upload;
pub mod xml;

pub(crate) use in_order::InOrder;
pub(crate) use plain::Site;
pub(crate) use reader::S3Reader;

pub use checksum::{ChecksumConfig, ChecksumPlace, ChecksumPolicy, SentChecksum};
pub use choice::{EndpointChoice, EndpointLimits};
pub use client::{S3Client, Signer};
pub use copy::CopyLimits;
pub use error::{ErrorContext, S3Error, S3ErrorKind};
pub use first_byte::FirstByteLimits;
pub use ops::*;
pub(crate) use options::refuse;
pub use options::{S3PutOptions, S3ReadOptions};
pub use pace::PaceLimits;
pub use presign::{PresignError, Presigned};
pub use request::PayloadSigning;
pub use retry::Repeat;
pub use store::{S3Config, S3Store};
