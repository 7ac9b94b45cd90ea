//! `include/hydrant.h` is what cbindgen makes of the sources.

use std::path::Path;

/// The sources with anything of the header, in its order.
const SOURCES: &[&str] = &[
    "status.rs",
    "version.rs",
    "error.rs",
    "log.rs",
    "engine_limits.rs",
    "engine.rs",
    "driven.rs",
    "probe.rs",
    "stats.rs",
    "buf.rs",
    "mem.rs",
    "options/mod.rs",
    "credentials.rs",
    "store.rs",
    "meta.rs",
    "s3_options.rs",
    "object_options.rs",
    "attributes.rs",
    "object.rs",
    "ranges.rs",
    "delete.rs",
    "copy.rs",
    "verify.rs",
    "uploads.rs",
    "buckets.rs",
    "versions.rs",
    "delete_objects.rs",
    "parts.rs",
    "uploaded_part.rs",
    "multipart.rs",
    "multipart_complete.rs",
    "multipart_parts.rs",
    "s3_object.rs",
    "s3_copy.rs",
    "about.rs",
    "signer.rs",
    "sum.rs",
    "tags.rs",
    "presigned.rs",
    "presign.rs",
    "list.rs",
    "s3_list.rs",
    "writer.rs",
    "writer_progress.rs",
    "queue/op.rs",
    "queue/request.rs",
    "queue/outcome.rs",
    "queue/mod.rs",
];

/// `HYDRANT_BLESS=1` writes the header instead of comparing it.
#[test]
fn the_committed_header_is_the_one_that_cbindgen_makes() {
    let made = generate();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/hydrant.h");
    if std::env::var_os("HYDRANT_BLESS").is_some() {
        std::fs::write(&path, &made).expect("write the header");
    }
    let committed = std::fs::read_to_string(&path).expect("the committed header");
    let differs = committed.lines().zip(made.lines()).position(|(old, new)| old != new);
    assert!(
        committed == made,
        "include/hydrant.h differs from the sources, from line {:?} on; write it anew with \
         HYDRANT_BLESS=1 cargo test -p hydrant-ffi --test suite header",
        differs.map(|line| line + 1)
    );
}

/// Every entry of the library stands in a file that the header is made of.
#[test]
fn no_source_with_an_entry_is_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for inner in ["", "options", "queue"] {
        for file in std::fs::read_dir(folder.join(inner)).expect("a folder of sources") {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let of_header = ["#[unsafe(no_mangle)]", "pub const HYD_", "\npub struct hyd_"];
            if of_header.iter().any(|what| text.contains(what)) {
                let name = path.strip_prefix(&folder).expect("inside").to_owned();
                found.push(name.to_str().expect("ASCII").to_owned());
            }
        }
    }
    found.sort_unstable();
    let mut listed = SOURCES.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(root.join("src").join(source));
    }
    let mut text = Vec::new();
    builder.generate().expect("cbindgen reads the sources").write(&mut text);
    String::from_utf8(text).expect("the header is UTF-8")
}
