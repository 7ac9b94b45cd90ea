//! Uploads in parts.

use super::*;

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

    // What is said by hand stays, be it by half.
    let (crc, sha) = (ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha256);
    let (full, composite) = (ChecksumKind::FullObject, ChecksumKind::Composite);
    for (said, named) in [
        ((None, None), (Some(crc), Some(full))),
        ((Some(sha), None), (Some(sha), None)),
        ((None, Some(composite)), (None, Some(composite))),
    ] {
        let mut create = CreateMultipartUpload::new("k");
        (create.checksum_algorithm, create.checksum_kind) = said;
        create.name_checksum(crc, full);
        assert_eq!((create.checksum_algorithm, create.checksum_kind), named);
    }

    let mut part = UploadPart::new("k", "U", 7, Bytes::new());
    assert_eq!(part.body_check(), BodyCheck::Part);
    part.unsummed = true;
    assert_eq!(part.body_check(), BodyCheck::Own);
    part.unsummed = false;
    part.content_md5 = Some("m".into());
    assert_eq!(part.body_check(), BodyCheck::Own);
    let value = "v".to_owned();
    part.checksum = Some(Checksum { algorithm: sha, value });
    part.content_md5 = None;
    assert_eq!(part.body_check(), BodyCheck::Own);
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
