//! Listings and what belongs to a bucket; tags and attributes.

use super::*;

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
    let status = |text: &str| read(&get, "", text).unwrap().status;
    assert_eq!(read(&get, "", "<VersioningConfiguration/>").unwrap(), BucketVersioning::default());
    let text = |status| {
        format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>")
    };
    assert_eq!(status(&text("Enabled")), Some(Versioning::Enabled));
    assert_eq!(status(&text("Suspended")), Some(Versioning::Suspended));
    let other = text("Enabled").replace("VersioningConfiguration", "GetBucketVersioningResponse");
    assert_eq!(status(&other), Some(Versioning::Enabled));
    let mut put = PutBucketVersioning::new(Versioning::Suspended);
    assert_eq!(said(&put), ["PUT bucket", "?versioning="]);
    assert!(document(&put).ends_with("/\"><Status>Suspended</Status></VersioningConfiguration>"));
    put.mfa = Some("serial 123456".into());
    assert_eq!(said(&put), ["PUT bucket", "?versioning=", "x-amz-mfa: serial 123456"]);
    for (on, name) in [(true, "Enabled"), (false, "Disabled")] {
        put.mfa_delete = Some(on);
        let text = document(&put);
        let ends = format!(
            "/\"><MfaDelete>{name}</MfaDelete><Status>Suspended</Status></VersioningConfiguration>"
        );
        assert!(text.ends_with(&ends), "{text}");
        let told = read(&get, "", &text).unwrap();
        let wanted = BucketVersioning { status: Some(Versioning::Suspended), mfa_delete: Some(on) };
        assert_eq!(told, wanted);
    }
}

#[test]
fn a_bucket_may_be_made_with_grants_and_tags() {
    let mut create = CreateBucket::default();
    assert_eq!(create.payload(), Payload::None);
    create.grant_full_control = Some("id=\"a\"".into());
    create.grant_read = Some("id=\"b\"".into());
    create.grant_read_acp = Some("id=\"c\"".into());
    create.grant_write = Some("id=\"d\"".into());
    create.grant_write_acp = Some("id=\"e\"".into());
    create.tags = vec![("a b".into(), "<c>".into()), ("d".into(), String::new())];
    let wanted = [
        "PUT bucket",
        "x-amz-grant-full-control: id=\"a\"",
        "x-amz-grant-read: id=\"b\"",
        "x-amz-grant-read-acp: id=\"c\"",
        "x-amz-grant-write: id=\"d\"",
        "x-amz-grant-write-acp: id=\"e\"",
    ];
    assert_eq!(said(&create), wanted);
    let tags = "<Tags><Tag><Key>a b</Key><Value>&lt;c&gt;</Value></Tag>\
        <Tag><Key>d</Key><Value></Value></Tag></Tags></CreateBucketConfiguration>";
    let text = document(&create);
    assert!(text.ends_with(&format!("/\">{tags}")), "{text}");
    create.region = Some("eu-west-1".into());
    let text = document(&create);
    let both = format!("<LocationConstraint>eu-west-1</LocationConstraint>{tags}");
    assert!(text.ends_with(&both), "{text}");
    create.tags[0].0.push('\u{1}');
    assert!(create.encode(&mut RequestParts::new()).is_err());
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
    // As the API reference has it.
    let other = text.replace("GetObjectAttributesResponse", "GetObjectAttributesOutput");
    assert_eq!(read(&get, "", &other).unwrap(), told);
    let foreign = text.replace("GetObjectAttributesResponse", "GetObjectAttributes");
    assert!(matches!(read(&get, "", &foreign), Err(DecodeError::Xml(XmlError::Root { .. }))));
}
