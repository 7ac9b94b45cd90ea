//! Signatures against those of others: AWS's published vectors, and the signer of the AWS SDK for
//! Rust on random requests.

mod headers;
mod oracle;
mod presigned;
mod sample;
mod vectors;
