//! What every server is asked for, step by step.

use hydrant::s3::*;
use hydrant::{
    Bytes, Class, CopyOptions, CopyWay, Hydrant, ListEntry, ListRequest, PutOptions, copy,
};
use hydrant_tests::{BUCKET, PART, noise, read_all, wait_until};

use super::Other;
use super::known::{LONG, ODD};

impl Other {
    /// A client that was told nothing signs for another one at first. A HEAD cannot be told better.
    pub(super) fn its_region_is_learnt(&self) {
        let unaware = || self.client(|builder| builder.s3(|s3| s3.endpoint.region = None));
        let hydrant = unaware();
        let store = hydrant.store(&uri("")).expect("a bucket");
        store.put("region", Bytes::from_static(b"learnt")).wait().expect("told, and sent again");
        for _ in 0..4 {
            assert_eq!(store.head("region").wait().expect("by any core").size_bytes, 6);
        }
        store.delete("region").wait().expect("deleted");
        let error = unaware().store(&uri("")).expect("a bucket").head("region").wait();
        let error = error.expect_err("refused without a word").to_string();
        assert!(error.contains("AWS_REGION"), "{error}");
    }

    pub(super) fn objects_of_any_size_come_back(&self, hydrant: &Hydrant) {
        for size in [0, 1, 1000, PART + 1, 3 * PART + 777] {
            let at = hydrant.locate(&uri(&format!("sizes/{size}"))).expect("a URI");
            let data = noise(size as u64, size);
            let mut options = PutOptions::default();
            options.content_type = Some("text/x-test".into());
            let put = at.store.put_with(&at.key, Bytes::from(data.clone()), options);
            put.wait().expect("put");
            let meta = at.store.head(&at.key).wait().expect("head");
            assert_eq!(meta.size_bytes, size as u64);
            assert_eq!(meta.content_type.as_deref(), Some("text/x-test"));
            if size == 0 && self.known.empty_ranges_break {
                // An error, and not silence; without a range it can be read.
                read_all(&at).expect_err("a byte that never comes");
                let client = hydrant.s3(BUCKET).expect("a bucket");
                let get = client.get_object(GetObject::new(&at.key), 10);
                assert!(get.wait().expect("whole").1.is_empty());
                continue;
            }
            assert!(read_all(&at).expect("read") == data, "{size} bytes");
        }
        let at = hydrant.locate(&uri("not there")).expect("a URI");
        assert_eq!(at.store.head(&at.key).wait().expect_err("no object").class(), Class::NotFound);
        assert_eq!(read_all(&at).expect_err("no object").class(), Class::NotFound);
    }

    pub(super) fn odd_keys_survive(&self, hydrant: &Hydrant) {
        assert_eq!(LONG.len(), 1024);
        let store = hydrant.store(&uri("")).expect("a bucket");
        let keys = || {
            let entries = store.list(ListRequest::default()).entries_wait();
            entries.map(|entry| match entry.expect("a page") {
                ListEntry::Object { key, .. } => key,
                other => panic!("{other:?}"),
            })
        };
        for key in ODD {
            let put = store.put(key, Bytes::from(key.as_bytes().to_vec())).wait();
            if self.known.refuses.contains(&key) {
                assert_eq!(put.expect_err(key).class(), Class::NotFound, "{key:?}");
                continue;
            }
            put.unwrap_or_else(|error| panic!("{key:?}: {error}"));
            let renamed = self.known.renames.iter().find(|(from, _)| *from == key);
            let listed = renamed.map_or(key, |(_, to)| to);
            assert!(keys().any(|it| it == listed), "{key:?} is listed as {listed:?}");
            assert_eq!(store.head(key).wait().expect(key).size_bytes, key.len() as u64, "{key:?}");
            let client = hydrant.s3(BUCKET).expect("a bucket");
            let (_, back) = client.get_object(GetObject::new(key), 2000).wait().expect(key);
            assert_eq!(back, key.as_bytes(), "{key:?}");
            store.delete(key).wait().expect(key);
            assert!(!keys().any(|it| it == listed), "{key:?} is gone");
        }
    }

    pub(super) fn listings_have_pages_and_folders(&self, hydrant: &Hydrant) {
        let store = hydrant.store(&uri("")).expect("a bucket");
        for number in 0..25 {
            let key = format!("pages/{number:02} +%/é");
            store.put(&key, Bytes::from(vec![b'x'; number])).wait().expect("put");
        }
        let request = |delimiter| ListRequest {
            prefix: "pages/".into(),
            delimiter,
            entries_max: self.known.lists_in_pages.then_some(10),
            ..ListRequest::default()
        };
        let objects: Vec<_> = store
            .list(request(None))
            .entries_wait()
            .map(|entry| match entry.expect("a page") {
                ListEntry::Object { key, meta } => (key, meta.size_bytes),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: Vec<_> = (0..25).map(|it| (format!("pages/{it:02} +%/é"), it)).collect();
        assert_eq!(objects, expected);
        let folders: Vec<_> = store
            .list(request(Some('/')))
            .entries_wait()
            .map(|entry| match entry.expect("a page") {
                ListEntry::Prefix(prefix) => prefix,
                other => panic!("{other:?}"),
            })
            .collect();
        let expected: Vec<_> = (0..25).map(|it| format!("pages/{it:02} +%/")).collect();
        assert_eq!(folders, expected);
    }

    pub(super) fn what_is_copied_by_the_server_is_the_same(&self, hydrant: &Hydrant) {
        let data = noise(8, 2 * PART + 5);
        for key in ["copies/é %", "copies/+"] {
            let from = hydrant.locate(&uri(key)).expect("a URI");
            from.store.put(&from.key, Bytes::from(data.clone())).wait().expect("put");
            for (streamed, way) in [(false, CopyWay::OnServer), (true, CopyWay::Streamed)] {
                let to = hydrant.locate(&uri("copies/to é +%")).expect("a URI");
                let how = CopyOptions { streamed, ..CopyOptions::default() };
                let copied = copy(&from, &to, how).wait();
                if !streamed && self.known.copies_none_of.contains(&key) {
                    assert_eq!(copied.expect_err("no such source").class(), Class::NotFound);
                    continue;
                }
                assert_eq!(copied.expect("copied").way, way);
                assert!(read_all(&to).expect("read") == data, "{way:?}");
                to.store.delete(&to.key).wait().expect("deleted");
            }
        }
    }

    pub(super) fn uploads_are_completed_or_leave_nothing(&self, hydrant: &Hydrant) {
        let client = hydrant.s3(BUCKET).expect("a bucket");
        let at = hydrant.locate(&uri("uploads/é +%")).expect("a URI");
        let data = noise(9, 2 * PART + 1);
        for finishes in [false, true] {
            let options = PutOptions::default();
            let mut writer = at.store.writer(&at.key, options).expect("a writer");
            writer.write_wait(&data).expect("written");
            if finishes {
                writer.finish_wait().expect("whole");
                assert!(read_all(&at).expect("read") == data);
            } else {
                // What one leaves that aborts none is said.
                let cancelled = writer.cancel_wait();
                assert_eq!(cancelled.is_ok(), self.known.lists_uploads, "{cancelled:?}");
                let error = at.store.head(&at.key).wait().expect_err("nothing there");
                assert_eq!(error.class(), Class::NotFound);
            }
            let list = || client.send(ListMultipartUploads::default()).wait();
            if self.known.lists_uploads {
                let is_empty = || list().expect("a list").uploads.is_empty();
                wait_until("no upload is left", is_empty);
            } else {
                assert!(list().expect_err("it has none").to_string().contains("NotImplemented"));
            }
        }
    }

    pub(super) fn checksums_behind_the_body(&self) {
        for place in [ChecksumPlace::Trailer, ChecksumPlace::SignedTrailer] {
            let hydrant = self.client(|builder| builder.s3(|s3| s3.checksums.place = place));
            for size in [1000, PART + 1] {
                let at = hydrant.locate(&uri(&format!("framed/{size}"))).expect("a URI");
                let data = noise(size as u64, size);
                let put = at.store.put(&at.key, Bytes::from(data.clone())).wait();
                if place == ChecksumPlace::SignedTrailer && self.known.refuses_signed_trailers {
                    let error = put.expect_err("signed as S3 wants it").to_string();
                    assert!(error.contains("Invalid payload signature"), "{error}");
                    continue;
                }
                put.expect("put");
                if !self.known.reads_trailers {
                    let kept = at.store.head(&at.key).wait().expect("head").size_bytes;
                    assert!(kept > size as u64, "{place:?}: the framing is taken for the object");
                    continue;
                }
                assert!(read_all(&at).expect("read") == data, "{place:?}, {size} bytes");
            }
        }
    }

    pub(super) fn what_is_deleted_is_gone(&self, client: &S3Client) {
        let list = || client.send(ListObjectsV2::default()).wait().expect("a page").objects;
        let mut keys: Vec<_> = list().into_iter().map(|object| ObjectId::new(object.key)).collect();
        assert!(keys.len() > 25);
        keys.push(ObjectId::new("never there"));
        for outcome in client.delete_each(DeleteObjects::new(keys)).wait().expect("told") {
            outcome.unwrap_or_else(|refused| panic!("{refused}"));
        }
        assert!(list().is_empty());
        client.send(DeleteBucket::default()).wait().expect("empty");
    }
}

fn uri(key: &str) -> String {
    format!("s3://{BUCKET}/{key}")
}
