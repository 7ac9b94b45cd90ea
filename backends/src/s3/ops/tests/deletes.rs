//! Deletes, one and many, and keys that no request can carry.

use super::*;

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
    let outcomes = read(&delete, "x-amz-request-id: R\nx-amz-id-2: H\n", answer).unwrap();
    let results: Vec<_> = outcomes.iter().map(|outcome| outcome.result.clone()).collect();
    let marker =
        Deleted { delete_marker: true, marker_version_id: Some("m".into()), ..Deleted::default() };
    assert_eq!(results[0], Ok(marker));
    assert_eq!(results[1], Ok(Deleted::default()));
    // An object that the answer says nothing of is not deleted.
    for (at, code, message) in
        [(2, "NotMentioned", "the answer says nothing of this object"), (3, "AccessDenied", "no")]
    {
        let refusal = results[at].clone().unwrap_err();
        assert_eq!((&*refusal.code, &*refusal.message), (code, message));
        let ids = (refusal.request_id.as_deref(), refusal.host_id.as_deref());
        assert_eq!(ids, (Some("R"), Some("H")), "{code}");
    }
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
