//! The C interface, `include/hydrant.h`: a face of the crate `hydrant` that adds no capability.
//!
//! The header is the contract and the documentation; what stands here keeps it. The functions that
//! C programs call lie in the modules named after what they are about, each as a pair of a thin
//! `extern "C"` function, which reads its arguments, and safe code behind it.
//!
//! What this crate never does: it lets no panic cross into C (FFI-1, `guard`), reads or writes no
//! memory of the caller after the call has returned (OWN-3), and touches nothing of a handle that
//! was made before a fork (FORK-1, `handle`).

mod args;
mod engine;
mod error;
mod guard;
mod handle;
#[cfg(test)]
mod header;
mod object;
mod sized;
mod status;
mod store;
mod version;
