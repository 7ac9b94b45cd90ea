//! boto3, a client of another make, on the same server: each reads what the other wrote.

use std::path::Path;
use std::process::Command;

use hydrant::{Bytes, CopyOptions, ListEntry, ListRequest, PutOptions, copy};
use hydrant_engine::testing::not_tested;
use hydrant_tests::{BUCKET, PART, World, noise, read_all};

use crate::installed::python_with;

const SIZES: [usize; 4] = [0, 1000, PART + 1, 3 * PART + 777];

#[test]
fn boto3_and_hydrant_read_what_the_other_wrote() {
    let python = match python_with("boto3", &["boto3"]) {
        Ok(python) => python,
        Err(reason) => {
            return not_tested(format_args!("boto3, which cannot be installed: {reason}"));
        }
    };
    let world = World::new();
    let folder = world.file("");
    std::fs::create_dir(folder.join("data")).expect("a folder");
    for size in SIZES {
        let path = folder.join("data").join(size.to_string());
        std::fs::write(path, noise(size as u64, size)).expect("a file");
    }
    boto3(&python, &world, &folder, "put");
    let hydrant = world.client();
    for size in SIZES {
        let data = noise(size as u64, size);
        let theirs = hydrant.locate(&world.uri("s3", &format!("theirs/{size}"))).expect("a URI");
        assert!(read_all(&theirs).expect("read") == data, "what boto3 put, {size} bytes");
        let ours = hydrant.locate(&world.uri("s3", &format!("ours/{size}"))).expect("a URI");
        let mut options = PutOptions::default();
        options.content_type = Some("text/x-test".into());
        ours.store.put_with(&ours.key, Bytes::from(data), options).wait().expect("put");
        let from = hydrant.locate(&world.uri("s3", &format!("theirs/{size}"))).expect("a URI");
        for (to, streamed) in [("copied", false), ("streamed", true)] {
            let to = hydrant.locate(&world.uri("s3", &format!("{to}/{size}"))).expect("a URI");
            let how = CopyOptions { streamed, ..CopyOptions::default() };
            copy(&from, &to, how).wait().expect("copied");
        }
    }
    let request =
        ListRequest { prefix: "pages/".into(), entries_max: Some(10), ..ListRequest::default() };
    let store = hydrant.store(&world.uri("s3", "")).expect("a bucket");
    for (number, entry) in store.list(request).entries_wait().enumerate() {
        let ListEntry::Object { key, meta } = entry.expect("a page") else { panic!("a prefix") };
        assert_eq!((key, meta.size_bytes), (format!("pages/{number:02} +%/é"), number as u64));
        assert!(number < 25);
    }
    boto3(&python, &world, &folder, "get");
}

/// Runs one step of `boto3_steps.py`.
fn boto3(python: &Path, world: &World, folder: &Path, step: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/boto3_steps.py");
    let (url, folder) = (world.server().url(), folder.display().to_string());
    let output = Command::new(python)
        .args([script, &url, BUCKET, &folder, step])
        .envs(world.env())
        .env_remove("AWS_PROFILE")
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
}
