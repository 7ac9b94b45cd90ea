//! Each operation as it is sent and as it is read, without a server.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::http1::response::{HeadLimits, HeadProgress, parse_head};
use crate::s3::xml::can_be_written;

/// Method, target, query and headers as text: one line each.
fn said(operation: &impl Operation) -> Vec<String> {
    let mut parts = RequestParts::new();
    operation.encode(&mut parts).unwrap();
    let target = match parts.target() {
        Target::Service => "service".to_owned(),
        Target::Bucket => "bucket".to_owned(),
        Target::Object(key) => format!("object {key}"),
    };
    let mut lines = vec![format!("{} {target}", parts.method().as_str())];
    lines.extend(parts.query_pairs().map(|(name, value)| format!("?{name}={value}")));
    lines.extend(parts.headers().map(|(name, value)| format!("{name}: {value}")));
    lines
}

fn document(operation: &impl Operation) -> String {
    match operation.payload() {
        Payload::Document { xml, .. } => String::from_utf8(xml).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Reads an answer with these header lines and this body.
fn read<O: Operation>(operation: &O, headers: &str, body: &str) -> Result<O::Output, DecodeError> {
    let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", headers.replace('\n', "\r\n"));
    let parsed = parse_head(text.as_bytes(), &HeadLimits::default()).unwrap();
    let HeadProgress::Complete { head, .. } = parsed else { panic!("cut: {text}") };
    operation.decode(&head, body.as_bytes())
}

fn at(unix_seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

fn access() -> Access {
    Access { expected_bucket_owner: Some("111122223333".into()), requester_pays: true }
}

const ACCESS: [&str; 2] =
    ["x-amz-expected-bucket-owner: 111122223333", "x-amz-request-payer: requester"];

const INTERNAL_ERROR: &str = "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code>\
    <Message>We encountered an internal error.</Message><RequestId>R</RequestId></Error>";

#[test]
fn a_get_says_version_range_conditions_and_overrides() {
    let mut get = GetObject::new("a/b");
    get.version_id = Some("v1".into());
    get.part_number = Some(3);
    get.range = Some(ReadRange::Inclusive { first: 5, last: 9 });
    get.conditions.if_match = Some("\"e\"".into());
    get.conditions.if_none_match = Some("*".into());
    get.conditions.if_modified_since = Some(at(784_111_777));
    get.conditions.if_unmodified_since = Some(at(0));
    get.checksum_mode = true;
    get.response_content_type = Some("text/plain".into());
    get.access = access();
    let mut wanted = vec![
        "GET object a/b",
        "?versionId=v1",
        "?partNumber=3",
        "?response-content-type=text/plain",
        "range: bytes=5-9",
        "if-match: \"e\"",
        "if-none-match: *",
        "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-unmodified-since: Thu, 01 Jan 1970 00:00:00 GMT",
        "x-amz-checksum-mode: ENABLED",
    ];
    wanted.extend(ACCESS);
    assert_eq!(said(&get), wanted);
    wanted[0] = "HEAD object a/b";
    assert_eq!(said(&HeadObject(get)), wanted);
}

#[test]
fn ranges_that_are_none_are_refused() {
    for (range, text) in [
        (ReadRange::Inclusive { first: 0, last: 0 }, "bytes=0-0"),
        (ReadRange::From(7), "bytes=7-"),
        (ReadRange::Last(7), "bytes=-7"),
    ] {
        assert_eq!(range.to_string(), text);
    }
    for range in [ReadRange::Inclusive { first: 5, last: 4 }, ReadRange::Last(0)] {
        let get = GetObject { range: Some(range), ..GetObject::new("k") };
        let refused = get.encode(&mut RequestParts::new());
        assert!(matches!(refused, Err(InvalidRequest::Field { field: "Range", .. })), "{range:?}");
    }
}

#[test]
fn an_object_is_told_with_all_that_is_known_of_it() {
    let headers = "Content-Length: 5\nContent-Range: bytes 5-9/20\nETag: \"e-2\"\n\
        Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nx-amz-version-id: v1\n\
        Content-Type: text/plain\nCache-Control: no-store\nContent-Encoding: gzip\n\
        Content-Language: de\nContent-Disposition: inline\nExpires: 0\n\
        X-Amz-Meta-Made-By: me\nx-amz-meta-empty:\nx-amz-missing-meta: 2\n\
        x-amz-storage-class: GLACIER\nx-amz-restore: ongoing-request=\"true\"\n\
        x-amz-server-side-encryption: aws:kms\n\
        x-amz-server-side-encryption-aws-kms-key-id: key\n\
        x-amz-server-side-encryption-bucket-key-enabled: true\n\
        x-amz-checksum-crc64nvme: AAAAAAAAAAA=\nx-amz-checksum-type: FULL_OBJECT\n\
        x-amz-mp-parts-count: 2\nx-amz-tagging-count: 3\nx-amz-request-charged: requester\n\
        x-amz-something-new: that nobody knows\n";
    let info = read(&GetObject::new("k"), headers, "").unwrap();
    assert_eq!((info.content_length, info.object_bytes()), (Some(5), Some(20)));
    assert_eq!(info.etag.unwrap().as_str(), "\"e-2\"");
    assert_eq!(info.last_modified, Some(at(784_111_777)));
    assert_eq!(info.version_id.as_deref(), Some("v1"));
    assert_eq!(info.content_type.as_deref(), Some("text/plain"));
    assert_eq!(info.content_encoding.as_deref(), Some("gzip"));
    let metadata = [("made-by".to_owned(), "me".to_owned()), ("empty".to_owned(), String::new())];
    assert_eq!((info.metadata, info.missing_metadata), (metadata.to_vec(), 2));
    assert_eq!(info.storage_class.as_deref(), Some("GLACIER"));
    assert_eq!(info.encrypted.kms_key_id.as_deref(), Some("key"));
    assert!(info.encrypted.bucket_key && info.request_charged && !info.delete_marker);
    assert_eq!(info.checksums.get(ChecksumAlgorithm::Crc64Nvme), Some("AAAAAAAAAAA="));
    assert_eq!(info.checksums.kind, Some(ChecksumKind::FullObject));
    assert_eq!((info.parts, info.tags), (Some(2), Some(3)));

    let bare = read(&GetObject::new("k"), "Content-Length: 0\n", "").unwrap();
    assert_eq!(bare, ObjectInfo { content_length: Some(0), ..ObjectInfo::default() });
    let missing = Err(DecodeError::Missing("Content-Length"));
    assert_eq!(read(&HeadObject::new("k"), "ETag: \"e\"\n", ""), missing);
}

#[test]
fn a_put_says_all_that_is_to_be_kept() {
    let mut put = PutObject::new("k", &b"body"[..]);
    let object = &mut put.object;
    object.cache_control = Some("max-age=1".into());
    object.content_disposition = Some("inline".into());
    object.content_encoding = Some("gzip".into());
    object.content_language = Some("de".into());
    object.content_type = Some("text/plain".into());
    object.expires = Some(at(0));
    object.metadata = vec![("Made-By".into(), "me".into())];
    object.storage_class = Some("STANDARD_IA".into());
    object.tags = vec![("a b".into(), "c&d=/".into()), ("e".into(), String::new())];
    object.acl = Some("bucket-owner-full-control".into());
    object.retention = Some(Retention { mode: "GOVERNANCE".into(), until: at(784_111_777) });
    object.legal_hold = Some(true);
    object.server_side = Some(ServerSide::Kms {
        key_id: Some("arn:aws:kms:x".into()),
        context: Some("e30=".into()),
        bucket_key: Some(false),
        dual_layer: false,
    });
    put.conditions.if_none_match = Some("*".into());
    let (algorithm, value) = (ChecksumAlgorithm::Crc32c, "AAAAAA==".to_owned());
    put.checksum = Some(Checksum { algorithm, value });
    put.content_md5 = Some("md5".into());
    let wanted = [
        "PUT object k",
        "cache-control: max-age=1",
        "content-disposition: inline",
        "content-encoding: gzip",
        "content-language: de",
        "content-type: text/plain",
        "expires: Thu, 01 Jan 1970 00:00:00 GMT",
        "x-amz-meta-made-by: me",
        "x-amz-storage-class: STANDARD_IA",
        "x-amz-tagging: a%20b=c%26d%3D%2F&e=",
        "x-amz-acl: bucket-owner-full-control",
        "x-amz-object-lock-mode: GOVERNANCE",
        "x-amz-object-lock-retain-until-date: 1994-11-06T08:49:37Z",
        "x-amz-object-lock-legal-hold: ON",
        "x-amz-server-side-encryption: aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:x",
        "x-amz-server-side-encryption-context: e30=",
        "x-amz-server-side-encryption-bucket-key-enabled: false",
        "if-none-match: *",
        "x-amz-checksum-crc32c: AAAAAA==",
        "content-md5: md5",
    ];
    assert_eq!(said(&put), wanted);
    assert_eq!(put.payload(), Payload::Bytes(Bytes::from_static(b"body")));
    assert_eq!(put.repeat(), Repeat::IfNotPerformed);
    assert_eq!(PutObject::new("k", Bytes::new()).repeat(), Repeat::Freely);

    let headers = "ETag: \"e\"\nx-amz-version-id: v\nx-amz-object-size: 9\n";
    let stored = read(&put, headers, "").unwrap();
    assert_eq!(stored.etag.unwrap().as_str(), "\"e\"");
    assert_eq!((stored.version_id.as_deref(), stored.size_bytes), (Some("v"), Some(9)));
}

/// Base64 and MD5 were made with `openssl dgst -md5 -binary | base64`.
#[test]
fn a_key_of_the_customer_goes_with_its_md5_and_shows_nowhere() {
    let key = CustomerKey::new(*b"0123456789abcdef0123456789abcdef");
    let mut copy = CopyObject::new("k", CopySource::new("b", "s"));
    copy.object.customer_key = Some(key.clone());
    copy.source.customer_key = Some(key);
    let said = said(&copy);
    for prefix in ["x-amz-server-side", "x-amz-copy-source-server-side"] {
        let prefix = format!("{prefix}-encryption-customer");
        for line in [
            format!("{prefix}-algorithm: AES256"),
            format!("{prefix}-key: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
            format!("{prefix}-key-md5: hRasmdxgYDKV3nvbahU1MA=="),
        ] {
            assert!(said.contains(&line), "{line} is not in {said:#?}");
        }
    }
    assert!(!format!("{copy:?}").contains("MDEy") && !format!("{copy:?}").contains("48, 49"));
}

#[test]
fn a_copy_names_its_source_by_its_bytes() {
    let mut source = CopySource::new("b", "/ä+ %/../x");
    source.version_id = Some("v/1".into());
    source.conditions.if_match = Some("\"e\"".into());
    let mut copy = CopyObject::new("k", source.clone());
    copy.replace_metadata = true;
    copy.replace_tags = true;
    copy.checksum_algorithm = Some(ChecksumAlgorithm::Sha256);
    assert_eq!(
        said(&copy),
        [
            "PUT object k",
            "x-amz-copy-source: /b//%C3%A4%2B%20%25/../x?versionId=v%2F1",
            "x-amz-copy-source-if-match: \"e\"",
            "x-amz-metadata-directive: REPLACE",
            "x-amz-tagging-directive: REPLACE",
            "x-amz-checksum-algorithm: SHA256",
        ]
    );
    let mut part = UploadPartCopy::new("k", "U", 2, source);
    part.range = Some(ReadRange::Inclusive { first: 0, last: 9 });
    let lines = said(&part);
    assert_eq!(lines[..3], ["PUT object k", "?partNumber=2", "?uploadId=U"]);
    assert_eq!(lines.last().unwrap(), "x-amz-copy-source-range: bytes=0-9");
    part.range = Some(ReadRange::Last(9));
    assert!(part.encode(&mut RequestParts::new()).is_err());
}

/// DATA-2
#[test]
fn a_copy_that_failed_inside_a_200_has_failed() {
    let copy = CopyObject::new("k", CopySource::new("b", "s"));
    let good = "<CopyObjectResult><LastModified>1994-11-06T08:49:37.000Z</LastModified>\
        <ETag>&quot;e&quot;</ETag><ChecksumCRC32>AAAA</ChecksumCRC32><New/></CopyObjectResult>";
    let copied = read(&copy, "x-amz-copy-source-version-id: s1\n", good).unwrap();
    assert_eq!(copied.etag.unwrap().as_str(), "\"e\"");
    assert_eq!(copied.last_modified, Some(at(784_111_777)));
    assert_eq!(copied.source_version_id.as_deref(), Some("s1"));
    assert_eq!(copied.checksums.get(ChecksumAlgorithm::Crc32), Some("AAAA"));
    assert!(
        matches!(read(&copy, "", INTERNAL_ERROR), Err(DecodeError::Refused(it)) if it.code == "InternalError")
    );
    for end in 0..good.len() {
        assert!(read(&copy, "", &good[..end]).is_err(), "{end}");
    }
    let part = UploadPartCopy::new("k", "U", 1, CopySource::new("b", "s"));
    assert!(matches!(read(&part, "", INTERNAL_ERROR), Err(DecodeError::Refused(_))));
    let good = good.replace("CopyObjectResult", "CopyPartResult");
    assert!(read(&part, "", &good).is_ok());
}

#[test]
fn many_deletes_have_an_outcome_each() {
    let objects = ["a", "b&<c>\n", "gone", "c"].map(ObjectId::from);
    let mut delete = DeleteObjects::new(objects);
    delete.objects.push(ObjectId::version("a", "v1"));
    assert_eq!(said(&delete), ["POST bucket", "?delete="]);
    let text = document(&delete);
    assert!(text.contains("<Key>b&amp;&lt;c&gt;&#10;</Key>"), "{text}");
    assert!(text.contains("<Key>a</Key><VersionId>v1</VersionId>"), "{text}");
    let answer = "<DeleteResult>\
        <Deleted><Key>a</Key><VersionId>v1</VersionId></Deleted>\
        <Error><Key>c</Key><Code>AccessDenied</Code><Message>no</Message></Error>\
        <Deleted><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m</DeleteMarkerVersionId>\
        <Key>a</Key><Later>x</Later></Deleted>\
        <Deleted><Key>b&amp;&lt;c&gt;&#10;</Key></Deleted></DeleteResult>";
    let outcomes = read(&delete, "", answer).unwrap();
    let results: Vec<_> = outcomes.iter().map(|outcome| outcome.result.clone()).collect();
    let marker =
        Deleted { delete_marker: true, marker_version_id: Some("m".into()), ..Deleted::default() };
    assert_eq!(results[0], Ok(marker));
    assert_eq!(results[1], Ok(Deleted::default()));
    // An object that the answer says nothing of is not deleted.
    assert_eq!(results[2].clone().unwrap_err().code, "NotMentioned");
    assert_eq!(results[3].clone().unwrap_err().code, "AccessDenied");
    let version = Deleted { version_id: Some("v1".into()), ..Deleted::default() };
    assert_eq!(results[4], Ok(version));
    assert!(matches!(read(&delete, "", INTERNAL_ERROR), Err(DecodeError::Refused(_))));
}

#[test]
fn deletes_that_no_request_can_carry_are_refused() {
    let refused = |objects: Vec<ObjectId>| {
        DeleteObjects::new(objects).encode(&mut RequestParts::new()).unwrap_err()
    };
    let many = |count: u32| -> Vec<ObjectId> {
        (0..count).map(|number| ObjectId::new(number.to_string())).collect()
    };
    assert!(DeleteObjects::new(many(1000)).encode(&mut RequestParts::new()).is_ok());
    assert!(matches!(refused(many(1001)), InvalidRequest::Field { .. }));
    assert!(matches!(refused(Vec::new()), InvalidRequest::Field { .. }));
    for key in ["\u{1}", "a\rb"] {
        assert!(matches!(refused(vec![key.into()]), InvalidRequest::Field { .. }), "{key:?}");
    }
    assert_eq!(refused(vec!["a".into(), "".into()]), InvalidRequest::EmptyKey);
}

/// A server takes `DELETE /bucket/` as meant for the bucket.
#[test]
fn an_empty_key_is_refused_by_every_operation_on_an_object() {
    fn refuses(operation: impl Operation) {
        let refused = operation.encode(&mut RequestParts::new());
        assert_eq!(refused, Err(InvalidRequest::EmptyKey), "{operation:?}");
    }
    refuses(GetObject::new(""));
    refuses(HeadObject::new(""));
    refuses(PutObject::new("", Bytes::new()));
    refuses(DeleteObject::new(""));
    refuses(CopyObject::new("", CopySource::new("b", "k")));
    refuses(UploadPartCopy::new("", "U", 1, CopySource::new("b", "k")));
    refuses(GetObjectTagging::new(""));
    refuses(PutObjectTagging::new("", Vec::new()));
    refuses(DeleteObjectTagging::new(""));
    refuses(GetObjectAttributes::new(""));
    refuses(CreateMultipartUpload::new(""));
    refuses(UploadPart::new("", "U", 1, Bytes::new()));
    refuses(CompleteMultipartUpload::new("", "U", vec![CompletedPart::new(1, "e")]));
    refuses(AbortMultipartUpload::new("", "U"));
    refuses(ListParts::new("", "U"));
}

#[test]
fn a_listing_asks_for_encoded_keys_and_sees_its_token_repeated() {
    let list = ListObjectsV2 {
        prefix: Some("p/".into()),
        delimiter: Some("/".into()),
        start_after: Some("p/a".into()),
        continuation_token: Some("t".into()),
        max_keys: Some(7),
        fetch_owner: true,
        optional_attributes: Some("RestoreStatus".into()),
        access: access(),
    };
    let mut wanted = vec![
        "GET bucket",
        "?list-type=2",
        "?encoding-type=url",
        "?prefix=p/",
        "?delimiter=/",
        "?start-after=p/a",
        "?continuation-token=t",
        "?max-keys=7",
        "?fetch-owner=true",
        "x-amz-optional-object-attributes: RestoreStatus",
    ];
    wanted.extend(ACCESS);
    assert_eq!(said(&list), wanted);
    let page = |token: &str| {
        format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated>\
             <NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>"
        )
    };
    assert_eq!(read(&list, "", &page("u")).unwrap().next_continuation_token.unwrap(), "u");
    assert!(matches!(read(&list, "", &page("t")), Err(DecodeError::Contradiction(_))));
    assert!(matches!(read(&list, "", INTERNAL_ERROR), Err(DecodeError::Refused(_))));
}

#[test]
fn versions_and_markers_are_listed_in_order() {
    let list = ListObjectVersions { prefix: Some("p".into()), ..Default::default() };
    assert_eq!(said(&list), ["GET bucket", "?versions=", "?encoding-type=url", "?prefix=p"]);
    let text = "<ListVersionsResult><EncodingType>url</EncodingType>\
        <IsTruncated>true</IsTruncated><NextKeyMarker>a%2Bb</NextKeyMarker>\
        <NextVersionIdMarker>v1</NextVersionIdMarker>\
        <DeleteMarker><Key>a%2Bb</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>\
        <LastModified>1994-11-06T08:49:37Z</LastModified></DeleteMarker>\
        <Version><Key>a%2Bb</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>\
        <ETag>\"e\"</ETag><Size>3</Size><StorageClass>STANDARD</StorageClass>\
        <Owner><ID>o</ID></Owner><Unknown><Key>x</Key></Unknown></Version>\
        <CommonPrefixes><Prefix>p%20/</Prefix></CommonPrefixes></ListVersionsResult>";
    let page = read(&list, "", text).unwrap();
    let [VersionEntry::DeleteMarker(marker), VersionEntry::Version(version)] = &page.entries[..]
    else {
        panic!("{page:?}")
    };
    assert_eq!((&*marker.key, &*marker.version_id, marker.is_latest), ("a+b", "v2", true));
    assert_eq!((&*version.key, version.size, version.is_latest), ("a+b", 3, false));
    assert_eq!(version.owner.as_ref().unwrap().id, "o");
    assert_eq!(
        (page.common_prefixes, page.next_key_marker),
        (vec!["p /".into()], Some("a+b".into()))
    );
    for end in 0..text.len() {
        assert!(read(&list, "", &text[..end]).is_err(), "{end}");
    }
    let endless = text.replace("<NextKeyMarker>a%2Bb</NextKeyMarker>", "");
    assert_eq!(read(&list, "", &endless), Err(DecodeError::Missing("NextKeyMarker")));
}

#[test]
fn buckets_are_listed_made_looked_at_and_deleted() {
    assert_eq!(said(&ListBuckets::default()), ["GET service"]);
    let text = "<ListAllMyBucketsResult><Owner><ID>o</ID></Owner><Buckets>\
        <Bucket><Name>a</Name><CreationDate>1994-11-06T08:49:37.000Z</CreationDate>\
        <BucketRegion>eu-west-1</BucketRegion></Bucket><Bucket><Name>b</Name></Bucket></Buckets>\
        <ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>";
    let page = read(&ListBuckets::default(), "", text).unwrap();
    let names: Vec<_> = page.buckets.iter().map(|bucket| &*bucket.name).collect();
    assert_eq!((names, page.continuation_token.as_deref()), (vec!["a", "b"], Some("t")));
    assert_eq!(page.buckets[0].region.as_deref(), Some("eu-west-1"));
    assert_eq!(page.buckets[0].created, Some(at(784_111_777)));

    let mut create = CreateBucket { acl: Some("private".into()), ..CreateBucket::default() };
    assert_eq!(said(&create), ["PUT bucket", "x-amz-acl: private"]);
    assert_eq!(create.payload(), Payload::None);
    create.region = Some("us-east-1".into());
    assert_eq!(create.payload(), Payload::None);
    create.region = Some("eu-west-1".into());
    assert!(document(&create).contains("<LocationConstraint>eu-west-1</LocationConstraint>"));
    assert_eq!(read(&create, "Location: /b\n", "").unwrap().as_deref(), Some("/b"));

    assert_eq!(said(&DeleteBucket::default()), ["DELETE bucket"]);
    assert_eq!(said(&HeadBucket::default()), ["HEAD bucket"]);
    let info = read(&HeadBucket::default(), "x-amz-bucket-region: eu-west-1\n", "").unwrap();
    assert_eq!(info.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn a_location_is_told_in_all_its_spellings() {
    let location = GetBucketLocation::default();
    assert_eq!(said(&location), ["GET bucket", "?location="]);
    for (text, region) in [
        ("<LocationConstraint xmlns=\"x\"/>", "us-east-1"),
        ("<LocationConstraint>EU</LocationConstraint>", "eu-west-1"),
        ("<LocationConstraint>eu-central-1</LocationConstraint>", "eu-central-1"),
        (
            "<LocationConstraint><LocationConstraint>x-1</LocationConstraint></LocationConstraint>",
            "x-1",
        ),
    ] {
        assert_eq!(read(&location, "", text).unwrap(), region, "{text}");
    }
    assert!(matches!(read(&location, "", INTERNAL_ERROR), Err(DecodeError::Refused(_))));
}

#[test]
fn versioning_is_asked_for_and_set() {
    let get = GetBucketVersioning::default();
    assert_eq!(said(&get), ["GET bucket", "?versioning="]);
    let status = |text: &str| read(&get, "", text).unwrap();
    assert_eq!(status("<VersioningConfiguration/>"), None);
    let text = |status| {
        format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>")
    };
    assert_eq!(status(&text("Enabled")), Some(Versioning::Enabled));
    assert_eq!(status(&text("Suspended")), Some(Versioning::Suspended));
    let put = PutBucketVersioning::new(Versioning::Suspended);
    assert_eq!(said(&put), ["PUT bucket", "?versioning="]);
    assert!(document(&put).ends_with("<Status>Suspended</Status></VersioningConfiguration>"));
}

#[test]
fn tags_are_read_written_and_taken_off() {
    let text = "<Tagging><TagSet><Tag><Key>a b</Key><Value>&lt;c&gt;</Value></Tag>\
        <Tag><Value/><Key>d</Key></Tag></TagSet></Tagging>";
    let tags: TagSet = vec![("a b".into(), "<c>".into()), ("d".into(), String::new())];
    let tagged = read(&GetObjectTagging::new("k"), "x-amz-version-id: v\n", text).unwrap();
    assert_eq!((&tagged.tags, tagged.version_id.as_deref()), (&tags, Some("v")));
    assert_eq!(said(&GetObjectTagging::new("k")), ["GET object k", "?tagging="]);
    let put = PutObjectTagging::new("k", tags);
    assert_eq!(said(&put), ["PUT object k", "?tagging="]);
    assert!(document(&put).contains("<Key>a b</Key><Value>&lt;c&gt;</Value>"));
    assert!(matches!(put.payload(), Payload::Document { md5: true, .. }));
    let delete =
        DeleteObjectTagging { version_id: Some("v".into()), ..DeleteObjectTagging::new("k") };
    assert_eq!(said(&delete), ["DELETE object k", "?tagging=", "?versionId=v"]);
}

#[test]
fn attributes_are_told_with_their_parts() {
    let get = GetObjectAttributes { max_parts: Some(2), ..GetObjectAttributes::new("k") };
    assert_eq!(
        said(&get),
        [
            "GET object k",
            "?attributes=",
            "x-amz-object-attributes: ETag,Checksum,ObjectParts,StorageClass,ObjectSize",
            "x-amz-max-parts: 2",
        ]
    );
    let text = "<GetObjectAttributesResponse><ETag>e-2</ETag><Checksum>\
        <ChecksumSHA256>s-2</ChecksumSHA256><ChecksumType>COMPOSITE</ChecksumType></Checksum>\
        <ObjectParts><TotalPartsCount>2</TotalPartsCount><IsTruncated>true</IsTruncated>\
        <NextPartNumberMarker>1</NextPartNumberMarker><Part><PartNumber>1</PartNumber>\
        <Size>5</Size><ChecksumSHA256>p</ChecksumSHA256></Part></ObjectParts>\
        <ObjectSize>9</ObjectSize></GetObjectAttributesResponse>";
    let told = read(&get, "", text).unwrap();
    assert_eq!(
        (told.etag.as_deref(), told.size, told.parts_count),
        (Some("e-2"), Some(9), Some(2))
    );
    assert_eq!(told.checksums.kind, Some(ChecksumKind::Composite));
    assert_eq!((told.parts[0].number, told.parts[0].size), (1, 5));
    assert_eq!(told.parts[0].checksums.get(ChecksumAlgorithm::Sha256), Some("p"));
    assert_eq!(told.next_part_number_marker, Some(1));
}

#[test]
fn an_upload_begins_and_ends() {
    let mut create = CreateMultipartUpload::new("k");
    create.object.storage_class = Some("GLACIER".into());
    create.checksum_algorithm = Some(ChecksumAlgorithm::Crc64Nvme);
    create.checksum_kind = Some(ChecksumKind::FullObject);
    assert_eq!(
        said(&create),
        [
            "POST object k",
            "?uploads=",
            "x-amz-storage-class: GLACIER",
            "x-amz-checksum-algorithm: CRC64NVME",
            "x-amz-checksum-type: FULL_OBJECT",
        ]
    );
    let text = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>\
                <UploadId>VXBsb2FkIElE+/=</UploadId></InitiateMultipartUploadResult>";
    assert_eq!(read(&create, "", text).unwrap().upload_id, "VXBsb2FkIElE+/=");
    let empty = text.replace("VXBsb2FkIElE+/=", " ");
    assert_eq!(read(&create, "", &empty), Err(DecodeError::Missing("UploadId")));
    for end in 0..text.len() {
        assert!(read(&create, "", &text[..end]).is_err(), "{end}");
    }

    let part = UploadPart::new("k", "U", 7, Bytes::new());
    assert_eq!(said(&part), ["PUT object k", "?partNumber=7", "?uploadId=U"]);
    assert_eq!(read(&part, "x: y\n", ""), Err(DecodeError::Missing("ETag")));

    assert_eq!(said(&AbortMultipartUpload::new("k", "U")), ["DELETE object k", "?uploadId=U"]);
}

#[test]
fn a_completion_names_its_parts() {
    let mut parts = vec![CompletedPart::new(1, "\"a\""), CompletedPart::new(10_000, "<&>")];
    let (algorithm, value) = (ChecksumAlgorithm::Crc32, "AAAA".to_owned());
    parts[1].checksum = Some(Checksum { algorithm, value });
    let mut complete = CompleteMultipartUpload::new("k", "U", parts);
    complete.object_bytes = Some(9);
    let wanted = ["POST object k", "?uploadId=U", "x-amz-mp-object-size: 9"];
    assert_eq!(said(&complete), wanted);
    assert_eq!(
        document(&complete),
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>\
         <Part><PartNumber>10000</PartNumber><ETag>&lt;&amp;&gt;</ETag>\
         <ChecksumCRC32>AAAA</ChecksumCRC32></Part></CompleteMultipartUpload>"
    );
    complete.parts.swap(0, 1);
    assert!(complete.encode(&mut RequestParts::new()).is_err());
    complete.parts.clear();
    assert!(complete.encode(&mut RequestParts::new()).is_err());
}

const COMPLETED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n  \
    <CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key>\
    <ETag>\"3858f62230ac3c915f300c664312c11f-9\"</ETag></CompleteMultipartUploadResult>";

/// DATA-2
#[test]
fn a_completion_is_one_only_if_its_document_says_so() {
    let complete = CompleteMultipartUpload::new("k", "U", vec![CompletedPart::new(1, "e")]);
    let done = |text: &str| read(&complete, "x-amz-version-id: v\n", text);
    let completed = done(COMPLETED).unwrap();
    assert_eq!(completed.etag.unwrap().as_str(), "\"3858f62230ac3c915f300c664312c11f-9\"");
    assert_eq!(completed.version_id.as_deref(), Some("v"));
    assert!(done(&format!("   \r\n \n{COMPLETED}\n")).is_ok(), "blanks keep the line open");
    for end in 0..COMPLETED.len() {
        assert!(done(&COMPLETED[..end]).is_err(), "{end}");
    }
    assert!(
        matches!(done(INTERNAL_ERROR), Err(DecodeError::Refused(it)) if it.code == "InternalError")
    );
    assert!(matches!(done("<Other/>"), Err(DecodeError::Xml(XmlError::Root { .. }))));
    let nothing = done("<CompleteMultipartUploadResult/>");
    assert_eq!(nothing, Err(DecodeError::Missing("ETag")));
}

#[test]
fn parts_and_uploads_are_listed_to_their_end() {
    let list = ListParts { part_number_marker: Some(1), ..ListParts::new("k", "U") };
    assert_eq!(said(&list), ["GET object k", "?uploadId=U", "?part-number-marker=1"]);
    let text = "<ListPartsResult><NextPartNumberMarker>2</NextPartNumberMarker>\
        <IsTruncated>true</IsTruncated><Initiator><ID>i</ID></Initiator><Part>\
        <PartNumber>2</PartNumber><ETag>\"e\"</ETag><Size>5</Size>\
        <ChecksumCRC32C>c</ChecksumCRC32C></Part></ListPartsResult>";
    let page = read(&list, "", text).unwrap();
    assert_eq!((page.parts[0].number, page.parts[0].size), (2, 5));
    assert_eq!(page.next_part_number_marker, Some(2));
    assert_eq!(page.initiator.unwrap().id, "i");
    let markerless = text.replace("<NextPartNumberMarker>2</NextPartNumberMarker>", "");
    assert_eq!(read(&list, "", &markerless), Err(DecodeError::Missing("NextPartNumberMarker")));
    let again = text.replace("<NextPartNumberMarker>2", "<NextPartNumberMarker>1");
    assert!(matches!(read(&list, "", &again), Err(DecodeError::Contradiction(_))));

    let list = ListMultipartUploads { prefix: Some("p".into()), ..Default::default() };
    assert_eq!(said(&list), ["GET bucket", "?uploads=", "?encoding-type=url", "?prefix=p"]);
    let text = "<ListMultipartUploadsResult><EncodingType>url</EncodingType>\
        <IsTruncated>false</IsTruncated><NextKeyMarker/><Upload><Key>a%0A</Key>\
        <UploadId>U</UploadId><Initiated>1994-11-06T08:49:37Z</Initiated></Upload>\
        </ListMultipartUploadsResult>";
    let page = read(&list, "", text).unwrap();
    assert_eq!((&*page.uploads[0].key, &*page.uploads[0].upload_id), ("a\n", "U"));
    assert_eq!(page.next_key_marker, None);
}

/// Everything that reads a document, for what must hold of all of them.
fn read_all(body: &str) -> Vec<bool> {
    let source = || CopySource::new("b", "k");
    vec![
        read(&CopyObject::new("k", source()), "", body).is_ok(),
        read(&UploadPartCopy::new("k", "U", 1, source()), "", body).is_ok(),
        read(&DeleteObjects::new(["k".into()]), "", body).is_ok(),
        read(&ListObjectsV2::default(), "", body).is_ok(),
        read(&ListObjectVersions::default(), "", body).is_ok(),
        read(&ListBuckets::default(), "", body).is_ok(),
        read(&GetBucketLocation::default(), "", body).is_ok(),
        read(&GetBucketVersioning::default(), "", body).is_ok(),
        read(&GetObjectTagging::new("k"), "", body).is_ok(),
        read(&GetObjectAttributes::new("k"), "", body).is_ok(),
        read(&CreateMultipartUpload::new("k"), "", body).is_ok(),
        read(&CompleteMultipartUpload::new("k", "U", Vec::new()), "", body).is_ok(),
        read(&ListParts::new("k", "U"), "", body).is_ok(),
        read(&ListMultipartUploads::default(), "", body).is_ok(),
    ]
}

#[test]
fn an_empty_body_and_an_error_are_a_success_of_nothing() {
    for body in ["", "<Error><Code>SlowDown</Code></Error>", "<html></html>", "nonsense"] {
        assert!(read_all(body).iter().all(|good| !good), "{body}");
    }
}

/// What keys trip over, made common.
fn key() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "/", "//", ".", "..", " ", "+", "%", "%2F", "?", "#", "&", "=", "\n", "\r", "\t", "\0",
            "é", "🦀",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 1..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a key", |key| !key.is_empty())
}

proptest! {
    #[test]
    fn any_key_is_said_as_it_is(key in key()) {
        let mut parts = RequestParts::new();
        GetObject::new(&key[..]).encode(&mut parts).unwrap();
        prop_assert_eq!(parts.target(), Target::Object(&key));
        let copy = CopyObject::new("k", CopySource::new("b", &key[..]));
        copy.encode(&mut parts).unwrap();
        let (_, source) = parts.headers().next().unwrap();
        let decoded = crate::s3::encode::decode_listing(source).unwrap();
        prop_assert_eq!(decoded.strip_prefix("/b/"), Some(&key[..]));
        prop_assert!(source.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn any_key_that_xml_can_carry_has_its_outcome(key in key(), version in any::<Option<u8>>()) {
        prop_assume!(can_be_written(&key));
        let mut object = ObjectId::new(&key[..]);
        object.version_id = version.map(|number| number.to_string());
        let delete = DeleteObjects::new([object.clone()]);
        let text = document(&delete);
        // A server that answers with what it was sent.
        let answer = text.replace("Object>", "Deleted>").replace("Delete xmlns", "DeleteResult xmlns")
            .replace("</Delete>", "</DeleteResult>");
        let outcomes = read(&delete, "", &answer).unwrap();
        prop_assert_eq!(&outcomes[0].object, &object);
        prop_assert!(outcomes[0].result.is_ok(), "{:?} in {}", outcomes, answer);
    }

    #[test]
    fn any_document_is_read_without_panic(body in any::<String>()) {
        read_all(&body);
    }

    #[test]
    fn a_changed_document_is_read_without_panic_and_an_error_stays_one(
        at in 0..INTERNAL_ERROR.len(),
        byte in 0..128u8,
    ) {
        let mut body = INTERNAL_ERROR.as_bytes().to_vec();
        body[at] = byte;
        let body = String::from_utf8(body).unwrap();
        prop_assert!(read_all(&body).iter().all(|good| !good));
    }
}
