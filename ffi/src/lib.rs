//! The C interface, `include/hydrant.h`: a face of the crate `hydrant` that adds no capability.
//!
//! The header is made from this crate: the comment at a function here is its contract there. What C
//! calls lies in the modules named after what it is about, each entry as a thin `extern "C"`
//! function, which reads its arguments, over safe code. Types that the header declares have their
//! names from there.
//!
//! What this crate never does: it lets no panic cross into C (FFI-1, `guard`), reads or writes no
//! memory of the caller after it was handed back (OWN-3), and touches nothing of a handle that was
//! made before a fork (FORK-1, `handle`).

#![expect(non_camel_case_types, reason = "types of the header have the names of the header")]

mod about;
mod args;
mod attributes;
mod buckets;
mod buf;
mod callback;
mod copy;
mod credentials;
mod delete;
mod delete_objects;
mod driven;
mod engine;
mod engine_limits;
mod error;
mod fork;
mod guard;
mod handle;
mod list;
mod loan;
mod log;
mod mem;
mod meta;
mod multipart;
mod multipart_complete;
mod multipart_parts;
mod multipart_upload;
mod object;
mod object_options;
mod options;
mod pages;
mod parts;
mod presign;
mod presigned;
mod probe;
mod queue;
mod ranges;
mod s3_copy;
mod s3_list;
mod s3_object;
mod s3_options;
mod signer;
mod sized;
mod stats;
mod status;
mod store;
mod stream;
mod sum;
mod tags;
mod uploaded_part;
mod uploads;
mod verify;
mod version;
mod versions;
mod writer;
mod writer_progress;
