//! A server of S3 that answers right or wrong as the dice fall: it refuses, breaks off, lies about lengths,
//! and names what is not there. It never lets a client wait.

#[path = "../../../shared/dice.rs"]
#[expect(dead_code, reason = "the tests of the house use all of it")]
mod dice;
#[path = "../../../shared/peer.rs"]
#[expect(dead_code, reason = "the tests of the house use all of it")]
mod peer;

use std::io;
use std::sync::{Mutex, PoisonError};

use dice::Dice;
use peer::{Peer, Seen, Wire};

const OBJECT_BYTES: usize = 20_000;

pub struct Faulty(Peer);

impl Faulty {
    /// The same seed plays the same answers, in the order in which it is asked.
    pub fn start(seed: u64) -> Faulty {
        let dice = Mutex::new(Dice::new(seed));
        Faulty(Peer::start(move |seen, wire| {
            let roll = dice.lock().unwrap_or_else(PoisonError::into_inner).next();
            answer(roll, seen, wire)
        }))
    }

    pub fn url(&self) -> String {
        self.0.url()
    }
}

fn answer(roll: u64, seen: &Seen, wire: &mut Wire) -> io::Result<()> {
    let refused = |status: &str, code: &str| {
        let told = "<RequestId>r</RequestId></Error>";
        let body = format!("<Error><Code>{code}</Code><Message>by dice</Message>{told}");
        whole(status, "Retry-After: 0\r\n", body.as_bytes())
    };
    let bytes = match roll % 24 {
        0 => return Ok(wire.reset()),
        1 => return Ok(wire.close()),
        2 => b"no HTTP at all\r\n\r\n".to_vec(),
        3 => refused("500 Internal Server Error", "InternalError"),
        4 => refused("503 Slow Down", "SlowDown"),
        5 => refused("404 Not Found", "NoSuchKey"),
        6 => refused("403 Forbidden", "AccessDenied"),
        7 => refused("412 Precondition Failed", "PreconditionFailed"),
        8 => refused("301 Moved Permanently", "PermanentRedirect"),
        // Inside a success.
        9 => refused("200 OK", "InternalError"),
        10 => whole("206 Partial Content", "Content-Range: bytes 5-9/7\r\n", b"wrong"),
        11 => whole("200 OK", "ETag: no quotes\r\nLast-Modified: once\r\n", &[0xff; 40]),
        _ => right(roll, seen),
    };
    wire.receive_body()?;
    match roll >> 32 & 15 {
        // Broken off somewhere.
        0 => {
            wire.send(&bytes[..(roll >> 40) as usize % (bytes.len() + 1)])?;
            wire.close();
            Ok(())
        }
        // More than was announced.
        1 => {
            wire.send(&bytes)?;
            wire.send(b"HTTP/1.1 200 OK\r\n")?;
            wire.close();
            Ok(())
        }
        _ => wire.send(&bytes),
    }
}

fn right(roll: u64, seen: &Seen) -> Vec<u8> {
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let is_object = path.trim_matches('/').contains('/');
    let xml = |body: &str| whole("200 OK", "Content-Type: application/xml\r\n", body.as_bytes());
    let asks = |name: &str| query.split('&').any(|it| it.split('=').next() == Some(name));
    match &*seen.method {
        "GET" if asks("tagging") => {
            xml("<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>")
        }
        "GET" if asks("attributes") => {
            xml("<GetObjectAttributesResponse><ObjectParts><PartsCount>3</PartsCount>\
             <NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true</IsTruncated>\
             <Part><PartNumber>2</PartNumber><Size>7</Size><ChecksumCRC32>AAAAAA==</ChecksumCRC32>\
             </Part></ObjectParts></GetObjectAttributesResponse>")
        }
        "GET" if asks("versions") => xml(
            "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>\
             <NextVersionIdMarker>1</NextVersionIdMarker><Version><Key>a</Key><VersionId>1</VersionId>\
             <IsLatest>true</IsLatest><Size>5</Size></Version><DeleteMarker><Key>b</Key>\
             <VersionId>2</VersionId></DeleteMarker></ListVersionsResult>",
        ),
        "GET" if asks("uploads") => {
            xml("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>a</Key>\
             <UploadId>u</UploadId></Upload></ListMultipartUploadsResult>")
        }
        "GET" if asks("versioning") => {
            xml("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
        }
        "GET" if asks("location") => xml("<LocationConstraint>eu-west-1</LocationConstraint>"),
        "GET" if asks("list-type") => {
            let has_more = roll >> 48 & 1 == 0;
            xml(&format!(
                "<ListBucketResult><IsTruncated>{has_more}</IsTruncated><NextContinuationToken>t\
                 </NextContinuationToken><Contents><Key>a</Key><Size>20000</Size><ETag>\"e\"</ETag>\
                 </Contents><Contents><Key>a/b</Key><Size>1</Size></Contents><CommonPrefixes>\
                 <Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>"
            ))
        }
        "GET" if path == "/" => {
            xml("<ListAllMyBucketsResult><Buckets><Bucket><Name>bucket</Name></Bucket></Buckets>\
             </ListAllMyBucketsResult>")
        }
        "GET" | "HEAD" if is_object => object(roll, seen),
        "POST" if asks("uploads") => xml(
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        "POST" if asks("delete") => {
            xml("<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>")
        }
        "POST" => xml(
            "<CompleteMultipartUploadResult><ETag>\"e-1\"</ETag></CompleteMultipartUploadResult>",
        ),
        "PUT" if seen.header("x-amz-copy-source").is_some() => {
            xml("<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>")
        }
        "DELETE" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        _ => whole("200 OK", "ETag: \"e\"\r\n", b""),
    }
}

/// Now and then it is another object.
fn object(roll: u64, seen: &Seen) -> Vec<u8> {
    let told = format!("ETag: \"{}\"\r\n", if roll >> 56 == 0 { "other" } else { "e" });
    if seen.method == "HEAD" {
        let head = "HTTP/1.1 200 OK\r\nContent-Length";
        return format!("{head}: {OBJECT_BYTES}\r\n{told}\r\n").into_bytes();
    }
    let object = [7; OBJECT_BYTES];
    let Some((first, last)) = seen.range() else { return whole("200 OK", &told, &object) };
    if first >= OBJECT_BYTES || last < first {
        let told = format!("Content-Range: bytes */{OBJECT_BYTES}\r\n");
        return whole("416 Range Not Satisfiable", &told, b"");
    }
    let last = last.min(OBJECT_BYTES - 1);
    let told = format!("{told}Content-Range: bytes {first}-{last}/{OBJECT_BYTES}\r\n");
    whole("206 Partial Content", &told, &object[first..=last])
}

fn whole(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}
