//! Criterion benches of the small pieces; they are in `micro.rs`, run by `cargo bench -p hydrant-micro`.
