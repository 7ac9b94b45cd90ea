//! Multipart uploads over the wire.

use crate::client::{Client, config, hex, noise, serve};
use hydrant_server::{Config, Limits, Server};
use md5::{Digest, Md5};
use tempfile::tempdir;

const MIB: usize = 1 << 20;

fn begin(client: &mut Client, target: &str) -> String {
    let answer = client
        .request("POST", &format!("{target}?uploads"), &[("content-type", "text/x")], b"")
        .assert(200);
    answer.tag("UploadId")
}

fn put_part(client: &mut Client, target: &str, id: &str, number: u32, content: &[u8]) -> String {
    let answer =
        client.put(&format!("{target}?partNumber={number}&uploadId={id}"), content).assert(200);
    answer.header("etag").to_owned()
}

fn completion(parts: &[(u32, &str)]) -> String {
    let part = |(number, etag): &(u32, &str)| {
        format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>",
            etag.replace('"', "&quot;")
        )
    };
    let parts: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

fn complete(
    client: &mut Client,
    target: &str,
    id: &str,
    parts: &[(u32, &str)],
) -> crate::client::Answer {
    client.request("POST", &format!("{target}?uploadId={id}"), &[], completion(parts).as_bytes())
}

#[test]
fn parts_in_any_order_become_one_object() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let target = "/bucket/deep/big";
    let parts = [noise(5 * MIB, 1), noise(6 * MIB + 3, 2), noise(17, 3)];
    let id = begin(&mut client, target);
    let third = put_part(&mut client, target, &id, 9, &parts[2]);
    put_part(&mut client, target, &id, 1, b"to be replaced");
    let first = put_part(&mut client, target, &id, 1, &parts[0]);
    let second = put_part(&mut client, target, &id, 5, &parts[1]);
    client.get(target).assert_error(404, "NoSuchKey");

    let listed = client.get(&format!("{target}?uploadId={id}")).assert(200);
    assert_eq!(listed.tags("PartNumber"), ["1", "5", "9"]);
    assert_eq!(listed.tags("Size"), ["5242880", "6291459", "17"]);
    assert_eq!(listed.tags("ETag"), [first.clone(), second.clone(), third.clone()]);
    let page =
        client.get(&format!("{target}?uploadId={id}&max-parts=1&part-number-marker=1")).assert(200);
    assert_eq!(
        (page.tags("PartNumber"), page.tag("NextPartNumberMarker")),
        (vec!["5".into()], "5".into())
    );
    let uploads = client.get("/bucket?uploads").assert(200);
    assert_eq!(
        (uploads.tags("Key"), uploads.tags("UploadId")),
        (vec!["deep/big".into()], vec![id.clone()])
    );

    let answer =
        complete(&mut client, target, &id, &[(1, &first), (5, &second), (9, &third)]).assert(200);
    let md5s: Vec<u8> = parts.iter().flat_map(Md5::digest).collect();
    let etag = format!("\"{}-3\"", hex(&Md5::digest(md5s)));
    assert_eq!(answer.tag("ETag"), etag);
    let object = client.get(target).assert(200);
    assert_eq!((object.header("etag"), object.header("content-type")), (etag.as_str(), "text/x"));
    assert!(object.body == parts.concat());
    assert_eq!(client.get("/bucket?list-type=2").assert(200).tags("ETag"), [etag]);
    assert_eq!(client.get("/bucket?uploads").assert(200).tags("Key").len(), 0);
    complete(&mut client, target, &id, &[(1, &first)]).assert_error(404, "NoSuchUpload");
}

#[test]
fn a_completion_that_claims_wrongly_is_refused_and_can_be_repaired() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let target = "/bucket/k";
    let id = begin(&mut client, target);
    let small = put_part(&mut client, target, &id, 1, b"small");
    let last = put_part(&mut client, target, &id, 2, b"last");
    complete(&mut client, target, &id, &[(1, &small), (2, &last)])
        .assert_error(400, "EntityTooSmall");
    complete(&mut client, target, &id, &[(2, &last), (1, &small)])
        .assert_error(400, "InvalidPartOrder");
    complete(&mut client, target, &id, &[(1, &small), (1, &small)])
        .assert_error(400, "InvalidPartOrder");
    complete(&mut client, target, &id, &[(1, &last)]).assert_error(400, "InvalidPart");
    complete(&mut client, target, &id, &[(3, &last)]).assert_error(400, "InvalidPart");
    complete(&mut client, target, &id, &[]).assert_error(400, "MalformedXML");
    complete(&mut client, "/bucket/other", &id, &[(1, &small)]).assert_error(404, "NoSuchUpload");
    client.get(target).assert_error(404, "NoSuchKey");
    complete(&mut client, target, &id, &[(2, &last)]).assert(200);
    assert_eq!(client.get(target).assert(200).body, b"last");
}

#[test]
fn aborting_removes_the_parts() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let id = begin(&mut client, "/bucket/k");
    put_part(&mut client, "/bucket/k", &id, 1, b"x");
    client.delete(&format!("/bucket/k?uploadId={id}")).assert(204);
    client.delete(&format!("/bucket/k?uploadId={id}")).assert_error(404, "NoSuchUpload");
    client
        .put(&format!("/bucket/k?partNumber=1&uploadId={id}"), b"x")
        .assert_error(404, "NoSuchUpload");
    client.put("/bucket/k?partNumber=1&uploadId=..", b"x").assert_error(404, "NoSuchUpload");
    let id = begin(&mut client, "/bucket/k");
    for number in ["0", "10001"] {
        let target = format!("/bucket/k?partNumber={number}&uploadId={id}");
        client.put(&target, b"x").assert_error(400, "InvalidArgument");
    }
    for room in ["tmp", "uploads"] {
        let left = std::fs::read_dir(root.path().join(".hydrant").join(room)).unwrap().count();
        assert_eq!(left, usize::from(room == "uploads"), "{room}");
    }
}

#[test]
fn a_long_completion_answers_at_once_and_tells_the_outcome_later() {
    let root = tempdir().unwrap();
    let limits = Limits { complete_silent_bytes_max: 0, part_bytes_min: 1, ..Limits::default() };
    let server = Server::start(Config { limits, ..config(root.path()) }).unwrap();
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    let id = begin(&mut client, "/bucket/k");
    let one = put_part(&mut client, "/bucket/k", &id, 1, b"one ");
    let two = put_part(&mut client, "/bucket/k", &id, 2, b"two");
    let answer = complete(&mut client, "/bucket/k", &id, &[(1, &one), (2, &two)]).assert(200);
    assert_eq!(answer.header("transfer-encoding"), "chunked");
    assert!(answer.tag("ETag").ends_with("-2\""), "{}", answer.text());
    assert_eq!(client.get("/bucket/k").assert(200).body, b"one two");
}

#[test]
fn a_part_can_be_copied_from_an_object() {
    let root = tempdir().unwrap();
    let server = serve(root.path());
    let mut client = Client::new(server.addr());
    client.put("/bucket", b"").assert(200);
    client.put("/bucket/from", b"0123456789").assert(200);
    let id = begin(&mut client, "/bucket/k");
    let source = [("x-amz-copy-source", "bucket/from"), ("x-amz-copy-source-range", "bytes=2-5")];
    let answer = client
        .request("PUT", &format!("/bucket/k?partNumber=1&uploadId={id}"), &source, b"")
        .assert(200);
    complete(&mut client, "/bucket/k", &id, &[(1, &answer.tag("ETag"))]).assert(200);
    assert_eq!(client.get("/bucket/k").assert(200).body, b"2345");
}
