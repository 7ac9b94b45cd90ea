//! What a copy that failed leaves to be carried on.

use hydrant_engine::{Error as EngineError, OsError};

use super::super::tree::Tree;
use super::super::upload::{FileUpload, carry_on};
use super::*;
use crate::error::{Class, Error, ErrorKind};
use crate::object::Etag;
use crate::store::{CopyWay, Upload, UploadSource};

const PART: usize = 64 << 10;

fn source(etag: &str) -> UploadSource {
    UploadSource {
        uri: "s3://bucket/source".into(),
        etag: Etag::new(etag).expect("a tag"),
        size_bytes: 2 * PART as u64,
        part_size_bytes: PART as u64,
        way: CopyWay::Streamed,
    }
}

/// Begins or carries on a copy of the version `etag`.
async fn begin(core: &Core, tree: &Arc<Tree>, etag: &str) -> FileUpload {
    carry_on(core, tree, "target", &source(etag)).await.expect("begun").0
}

/// Writes the first part.
async fn write(core: &Core, upload: &FileUpload) {
    let (buf, span) = lease_of(core, &pattern(PART)).await;
    upload.put_part(core, part(0, 0, PART), buf, span, None).await.0.expect("written");
}

/// Whether the first part is there from before.
async fn has(core: &Core, upload: &FileUpload) -> bool {
    let buf = core.pool().lease(PART, "test").await.expect("memory").into();
    upload.kept_part(core, part(0, 0, PART), buf).await.0.expect("looked").is_some()
}

/// A copy whose completing ends with what `fails` makes of it: the error, what is left, and whether
/// the next copy finds the part.
fn fail(
    house: &House,
    fails: impl FnOnce(&FileUpload) -> Error + Send + 'static,
) -> (Error, Vec<String>, bool) {
    let tree = Arc::new(Tree::new(FileMode::Buffered, Some(house.dir.path().to_owned())));
    let shared = Arc::clone(&tree);
    let (error, kept_in) = house.run(move |core| {
        Box::pin(async move {
            let upload = begin(&core, &shared, "\"one\"").await;
            write(&core, &upload).await;
            let error = fails(&upload);
            let error = upload.conclude(&core, Err(error)).await.expect_err("it failed");
            (error, upload.kept_in())
        })
    });
    let files = house.files();
    assert_eq!(kept_in.is_some(), !files.is_empty(), "{kept_in:?} {files:?}");
    let found = house.run(move |core| {
        Box::pin(async move {
            let upload = begin(&core, &tree, "\"one\"").await;
            has(&core, &upload).await
        })
    });
    (error, files, found)
}

fn os(errno: i32) -> EngineError {
    OsError::new("fsync", "target", errno).into()
}

#[test]
fn what_a_failed_sync_may_have_lost_is_never_carried_on() {
    for errno in [libc::EIO, libc::ENOSPC, libc::EDQUOT] {
        let house = House::new();
        let (error, files, found) = fail(&house, move |upload| upload.not_synced(os(errno)));
        assert!(matches!(error.kind(), ErrorKind::Lost { .. }), "{error}");
        assert!(error.to_string().contains("thrown away"), "{error}");
        assert_eq!((error.class(), files, found), (Class::Disk, vec![], false));
    }
}

#[test]
fn other_failures_keep_what_had_come() {
    let fails: [fn(&FileUpload) -> Error; 2] =
        [|_| os(libc::EIO).into(), |upload| upload.not_synced(EngineError::Cancelled)];
    for fails in fails {
        let house = House::new();
        let (_, files, found) = fail(&house, fails);
        assert_eq!((files.len(), found), (2, true), "a temporary and its journal");
    }
}

/// A write of a copy that was given up may still be on its way, and must not reach the next one.
#[test]
fn a_copy_that_begins_anew_takes_another_file() {
    let house = House::new();
    let tree = Arc::new(Tree::new(FileMode::Buffered, Some(house.dir.path().to_owned())));
    let dir = house.dir.path().to_owned();
    let (late, found) = house.run(move |core| {
        Box::pin(async move {
            let temporary = |path: &Path| {
                let entries = std::fs::read_dir(path).expect("readable");
                let paths = entries.map(|entry| entry.expect("readable").path());
                paths.into_iter().find(|path| path.extension() == Some("tmp".as_ref()))
            };
            let first = begin(&core, &tree, "\"one\"").await;
            write(&core, &first).await;
            let path = temporary(&dir).expect("a temporary");
            let held = std::fs::File::options().write(true).open(path).expect("the first one's");
            drop(first);
            let second = begin(&core, &tree, "\"two\"").await;
            write(&core, &second).await;
            let late = std::os::unix::fs::FileExt::write_at(&held, &[0xee; PART], 0);
            (late.expect("written"), has(&core, &second).await)
        })
    });
    assert_eq!((late, found), (PART, true), "the part of the second copy is untouched");
}
