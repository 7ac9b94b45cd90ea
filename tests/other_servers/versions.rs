//! Versions, tags and attributes, of servers that keep them.

use std::collections::{BTreeMap, BTreeSet};

use hydrant::Class;
use hydrant::s3::*;

use super::Other;
use super::known::ODD;

impl Other {
    pub(super) fn tags_and_attributes_are_told(&self, client: &S3Client) {
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

    pub(super) fn versions_are_kept(&self, client: &S3Client) {
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
