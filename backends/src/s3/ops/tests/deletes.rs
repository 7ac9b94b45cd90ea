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

/// Garage keeps no versions, and names one of each object that it deletes.
#[test]
fn a_version_that_nobody_named_is_that_of_the_object() {
    let mut delete = DeleteObjects::new(["a", "b", "c"].map(ObjectId::from));
    delete.objects.push(ObjectId::version("b", "v1"));
    let answer = "<DeleteResult>\
        <Deleted><Key>a</Key><VersionId>v9</VersionId></Deleted>\
        <Deleted><Key>b</Key><VersionId>v1</VersionId></Deleted>\
        <Error><Key>c</Key><VersionId>v9</VersionId><Code>AccessDenied</Code></Error>\
        <Deleted><Key>c</Key><VersionId>v8</VersionId></Deleted>\
        <Deleted><Key>d</Key><VersionId>v9</VersionId></Deleted></DeleteResult>";
    let outcomes = read(&delete, "", answer).unwrap();
    let version = |at: usize| outcomes[at].result.clone().map(|deleted| deleted.version_id);
    assert_eq!(version(0), Ok(Some("v9".into())));
    assert_eq!(version(1).unwrap_err().code, "NotMentioned", "only a version of it went");
    assert_eq!(version(2).unwrap_err().code, "AccessDenied");
    assert_eq!(version(3), Ok(Some("v1".into())));
}

#[test]
fn deletes_may_have_conditions() {
    let mut delete = DeleteObject::new("k");
    assert_eq!(delete.repeat(), Repeat::Freely);
    let changes: [fn(&mut DeleteObject); 3] = [
        |it| it.if_match = Some("\"e\"".into()),
        |it| it.if_match_last_modified = Some(at(784_111_777)),
        |it| it.if_match_size = Some(0),
    ];
    for change in changes {
        let mut one = DeleteObject::new("k");
        change(&mut one);
        assert_eq!(one.repeat(), Repeat::IfNotPerformed, "{one:?}");
        change(&mut delete);
    }
    delete.mfa = Some("serial 123456".into());
    let wanted = [
        "DELETE object k",
        "if-match: \"e\"",
        "x-amz-if-match-last-modified-time: Sun, 06 Nov 1994 08:49:37 GMT",
        "x-amz-if-match-size: 0",
        "x-amz-mfa: serial 123456",
    ];
    assert_eq!(said(&delete), wanted);

    let mut object = ObjectId::version("k", "v");
    object.if_match = Some("\"e\"".into());
    object.if_match_last_modified = Some(at(784_111_777));
    object.if_match_size = Some(7);
    assert_eq!(said(&DeleteObject::of(&object)).len(), 5);
    let mut many = DeleteObjects::new([object.clone(), "k".into()]);
    many.mfa = Some("serial 123456".into());
    assert_eq!(said(&many), ["POST bucket", "?delete=", "x-amz-mfa: serial 123456"]);
    assert_eq!(many.repeat(), Repeat::IfNotPerformed);
    let wanted = "<Object><Key>k</Key><VersionId>v</VersionId><ETag>&quot;e&quot;</ETag>\
        <LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</LastModifiedTime><Size>7</Size></Object>\
        <Object><Key>k</Key></Object>";
    let text = document(&many);
    assert!(text.contains(wanted), "{text}");
    // The answer repeats none of the conditions.
    let answer = "<DeleteResult><Deleted><Key>k</Key></Deleted><Error><Key>k</Key>\
        <VersionId>v</VersionId><Code>PreconditionFailed</Code></Error></DeleteResult>";
    let outcomes = read(&many, "", answer).unwrap();
    assert_eq!(outcomes[0].object, object);
    assert_eq!(outcomes[0].result.clone().unwrap_err().code, "PreconditionFailed");
    assert!(outcomes[1].result.is_ok());
    // Two outcomes of one object could not be told apart.
    many.objects.push(ObjectId::version("k", "v"));
    assert!(many.encode(&mut RequestParts::new()).is_err());
    many.objects[0] = ObjectId::version("k", "v");
    assert!(many.encode(&mut RequestParts::new()).is_ok());
    assert_eq!(many.repeat(), Repeat::Freely);
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
