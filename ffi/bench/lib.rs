//! What the C interface adds to a call: `c_path.rs` and `queue_s3.rs`, run by
//! `cargo bench -p hydrant-c-path --bench NAME`.
