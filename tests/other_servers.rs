//! Servers of another make: moto, from the package index of Python, and s3rver, from that of Node.
//!
//! What they do in ways of their own stands with each of them, and is tested too, so that it is noticed
//! when it ends. Where one cannot be installed, the test says so and why.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use hydrant::s3::credentials::{Credentials, Identity};
use hydrant::s3::*;
use hydrant::{
    Bytes, Class, CopyOptions, CopyWay, Hydrant, HydrantBuilder, ListEntry, ListRequest,
    PutOptions, copy,
};
use hydrant_engine::testing::not_tested;
use hydrant_tests::{BUCKET, PART, client_with, noise, read_all, wait_until};
use tempfile::TempDir;

use crate::installed::{node_modules_with, python_with};

/// A server that runs, until it is dropped or this process ends.
struct Other {
    child: Child,
    port: u16,
    /// What it keeps on disk.
    _folder: TempDir,
    known: Known,
}

/// What a server does in a way of its own.
#[derive(Clone, Copy)]
struct Known {
    /// Keys of [`ODD`] that it finds no place for.
    refuses: &'static [&'static str],
    /// Keys that it takes for others.
    renames: &'static [(&'static str, &'static str)],
    /// It answers a range of an empty object with a byte that never comes.
    empty_ranges_break: bool,
    /// Whether it gives a listing in pages. Where not, it answers 500 to who wants it so.
    lists_in_pages: bool,
    /// Keys that a copy cannot be made of.
    copies_none_of: &'static [&'static str],
    /// Whether it tells which uploads were begun, and aborts them.
    lists_uploads: bool,
    /// Whether it keeps versions and tags, and tells the attributes of objects.
    keeps_versions: bool,
    /// Whether it reads `aws-chunked` bodies. Where not, it keeps the framing as a part of the object,
    /// which nothing in its answer tells.
    reads_trailers: bool,
}

/// The server behind werkzeug, which matches paths by lines.
const MOTO: Known = Known {
    refuses: &["new\nline"],
    renames: &[],
    empty_ranges_break: false,
    lists_in_pages: true,
    copies_none_of: &[],
    lists_uploads: true,
    keeps_versions: true,
    reads_trailers: true,
};

/// It keeps objects in files of their names.
const S3RVER: Known = Known {
    refuses: &["a//b", "/lead"],
    renames: &[("dots/./x", "dots/x"), ("dots/../y", "y")],
    empty_ranges_break: true,
    lists_in_pages: false,
    copies_none_of: &["copies/+"],
    lists_uploads: false,
    keeps_versions: false,
    reads_trailers: false,
};

const ODD: [&str; 17] = [
    "a b",
    "a+b",
    "a%20b",
    "ü/é",
    "a//b",
    "/lead",
    "dots/./x",
    "dots/../y",
    "new\nline",
    "emoji 🦀",
    "trailing/",
    "q?x=1&y#z",
    "a&b<c>\"d'",
    "tilde~*!()",
    "back\\slash",
    "k=v;w,x:y@z$",
    LONG,
];

/// As long as a key may be, in names that a file may have.
const LONG: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/",
    "01234567890123",
);

#[test]
fn moto_and_hydrant() {
    let packages = ["boto3", "moto[s3]==5.2.5", "flask", "flask-cors"];
    let started = python_with("moto.server, flask_cors", &packages).map(|python| {
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/moto_server.py"));
        Other::start(command, MOTO)
    });
    with("moto", started);
}

#[test]
fn s3rver_and_hydrant() {
    let started = node_modules_with("s3rver", "3.7.1").map(|modules| {
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/s3rver_server.js"));
        command.env("NODE_PATH", modules);
        Other::start(command, S3RVER)
    });
    with("s3rver", started);
}

fn with(name: &str, started: Result<Other, String>) {
    let server = match started {
        Ok(server) => server,
        Err(reason) => {
            return not_tested(format_args!("{name}, which cannot be installed: {reason}"));
        }
    };
    let hydrant = server.client(|builder| builder);
    let client = hydrant.s3(BUCKET).expect("a bucket");
    client.send(CreateBucket::default()).wait().expect("created");
    client.send(HeadBucket::default()).wait().expect("there");
    server.objects_of_any_size_come_back(&hydrant);
    server.odd_keys_survive(&hydrant);
    server.listings_have_pages_and_folders(&hydrant);
    server.what_is_copied_by_the_server_is_the_same(&hydrant);
    server.uploads_are_completed_or_leave_nothing(&hydrant);
    server.checksums_behind_the_body();
    if server.known.keeps_versions {
        server.tags_and_attributes_are_told(&client);
        server.versions_are_kept(&client.with_bucket("versioned").expect("a name"));
    }
    server.what_is_deleted_is_gone(&client);
}

impl Other {
    /// Starts it; it says its port first, and ends with its input.
    fn start(mut command: Command, known: Known) -> Other {
        let folder = tempfile::tempdir().expect("a folder");
        command.arg(folder.path()).env_remove("AWS_PROFILE");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("a port");
        Other { child, port, _folder: folder, known }
    }

    fn client(&self, change: impl FnOnce(HydrantBuilder) -> HydrantBuilder) -> Hydrant {
        // moto takes any pair.
        let keys = Credentials::new("S3RVER", "S3RVER", None, None).expect("keys");
        client_with(&format!("http://127.0.0.1:{}", self.port), |builder| {
            change(builder.s3(|s3| s3.identity = Some(Identity::Keys(keys))))
        })
    }

    fn objects_of_any_size_come_back(&self, hydrant: &Hydrant) {
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

    fn odd_keys_survive(&self, hydrant: &Hydrant) {
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

    fn listings_have_pages_and_folders(&self, hydrant: &Hydrant) {
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

    fn what_is_copied_by_the_server_is_the_same(&self, hydrant: &Hydrant) {
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

    fn uploads_are_completed_or_leave_nothing(&self, hydrant: &Hydrant) {
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

    fn checksums_behind_the_body(&self) {
        for place in [ChecksumPlace::Trailer, ChecksumPlace::SignedTrailer] {
            let hydrant = self.client(|builder| builder.s3(|s3| s3.checksums.place = place));
            for size in [1000, PART + 1] {
                let at = hydrant.locate(&uri(&format!("framed/{size}"))).expect("a URI");
                let data = noise(size as u64, size);
                let put = at.store.put(&at.key, Bytes::from(data.clone())).wait();
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

    fn tags_and_attributes_are_told(&self, client: &S3Client) {
        for key in ["tags/é +%", "tags/a//b"] {
            let stored = client.send(PutObject::new(key, &b"tagged"[..])).wait().expect("put");
            let tags = || {
                let told = client.send(GetObjectTagging::new(key)).wait().expect("told").tags;
                told.into_iter().collect::<BTreeMap<_, _>>()
            };
            assert!(tags().is_empty(), "{key:?}");
            let given = [("a b", "c+/=é"), ("d", "")];
            let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let put = PutObjectTagging::new(key, given.to_vec());
            client.send(put).wait().expect("tagged");
            assert_eq!(tags(), BTreeMap::from(given), "{key:?}");
            client.send(DeleteObjectTagging::new(key)).wait().expect("taken off");
            assert!(tags().is_empty(), "{key:?}");
            let told = client.send(GetObjectAttributes::new(key)).wait().expect("told");
            let etag = stored.etag.expect("told").as_str().trim_matches('"').to_owned();
            assert_eq!((told.etag, told.size), (Some(etag), Some(6)), "{key:?}");
        }
    }

    fn versions_are_kept(&self, client: &S3Client) {
        client.send(CreateBucket::default()).wait().expect("created");
        let told = || client.send(GetBucketVersioning::default()).wait().expect("told");
        assert_eq!(told(), BucketVersioning::default());
        client.send(PutBucketVersioning::new(Versioning::Enabled)).wait().expect("set");
        assert_eq!(told().status, Some(Versioning::Enabled));
        let keys: Vec<_> = ODD.into_iter().filter(|it| !self.known.refuses.contains(it)).collect();
        for key in &keys {
            self.versions_of_one_key(client, key);
        }
        let listed: BTreeSet<_> = versions(client, 7).into_iter().map(|(key, ..)| key).collect();
        assert_eq!(listed, keys.iter().map(|key| (*key).to_owned()).collect());
        let all = versions(client, 7).into_iter();
        let all = all.map(|(key, version, _)| ObjectId::version(key, version));
        let all = DeleteObjects::new(all);
        for outcome in client.delete_each(all).wait().expect("told") {
            outcome.unwrap_or_else(|refused| panic!("{refused}"));
        }
        assert!(versions(client, 7).is_empty(), "each of them is gone for good");
        client.send(PutBucketVersioning::new(Versioning::Suspended)).wait().expect("set");
        assert_eq!(told().status, Some(Versioning::Suspended));
        client.send(DeleteBucket::default()).wait().expect("empty");
    }

    /// Two versions, and a marker above them.
    fn versions_of_one_key(&self, client: &S3Client, key: &str) {
        let put = |text: &'static str| {
            let stored = client.send(PutObject::new(key, text.as_bytes())).wait().expect(key);
            stored.version_id.expect("a version")
        };
        let (first, second) = (put("first"), put("second"));
        let read = |version: Option<&String>| {
            let mut get = GetObject::new(key);
            get.version_id = version.cloned();
            client.get_object(get, 100).wait().map(|(_, bytes)| bytes)
        };
        assert_eq!(read(Some(&first)).expect(key), "first");
        assert_eq!(read(Some(&second)).expect(key), "second");
        assert_eq!(read(None).expect(key), "second");
        let deleted = client.send(DeleteObject::new(key)).wait().expect(key);
        let marker = deleted.version_id.expect("of the marker");
        assert!(deleted.delete_marker, "{key:?}");
        assert_eq!(read(None).expect_err("deleted").class(), Class::NotFound, "{key:?}");
        assert_eq!(read(Some(&first)).expect("still there"), "first");
        let listed = versions(client, 1000).into_iter().filter(|(listed, ..)| listed == key);
        let listed: BTreeSet<_> =
            listed.map(|(_, version, is_marker)| (version, is_marker)).collect();
        let wanted = BTreeSet::from([(first, false), (second, false), (marker.clone(), true)]);
        assert_eq!(listed, wanted, "{key:?}");
        // Without the marker the object is there again.
        let mut undo = DeleteObject::new(key);
        undo.version_id = Some(marker);
        client.send(undo).wait().expect(key);
        assert_eq!(read(None).expect(key), "second");
    }

    fn what_is_deleted_is_gone(&self, client: &S3Client) {
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

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Key, version, and whether it is a marker, of all there are; listed by so many at a time.
fn versions(client: &S3Client, page_entries: u32) -> Vec<(String, String, bool)> {
    let mut list = ListObjectVersions::default();
    list.max_keys = Some(page_entries);
    let mut all = Vec::new();
    loop {
        let page = client.send(list.clone()).wait().expect("a page");
        all.extend(page.entries.into_iter().map(|entry| {
            let is_marker = matches!(entry, VersionEntry::DeleteMarker(_));
            (entry.version().key.clone(), entry.version().version_id.clone(), is_marker)
        }));
        if page.next_key_marker.is_none() {
            return all;
        }
        list.key_marker = page.next_key_marker;
        list.version_id_marker = page.next_version_id_marker;
    }
}

fn uri(key: &str) -> String {
    format!("s3://{BUCKET}/{key}")
}
