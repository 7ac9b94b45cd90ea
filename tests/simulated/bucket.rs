//! What a simulated server keeps, and what it answers: a function of the request alone, and stricter
//! than S3 where that finds more.

use std::collections::BTreeMap;

use hydrant::{Bytes, ChecksumAlgorithm, Crc64, Sum};
use md5::{Digest, Md5};

/// Where a checksum stands.
const CRC64NVME: &str = "x-amz-checksum-crc64nvme";

/// A request that has come whole.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// The key; empty for the bucket itself.
    pub(super) key: String,
    pub(super) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

/// One bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// Whether checksums are compared with what comes, kept, and told.
    sums: bool,
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    uploads_begun: u64,
}

#[derive(Debug)]
struct Object {
    bytes: Bytes,
    etag: String,
    crc64nvme: Crc64,
}

#[derive(Debug)]
struct Upload {
    key: String,
    parts: BTreeMap<u32, Object>,
    /// The client has named it since: it has heard of it.
    is_known: bool,
}

impl Bucket {
    pub(super) fn new(sums: bool) -> Bucket {
        Bucket { sums, ..Bucket::default() }
    }

    pub(super) fn sums(&self) -> bool {
        self.sums
    }

    /// Puts an object there as if it had always been there.
    pub(super) fn put(&mut self, key: &str, bytes: Bytes) {
        self.objects.insert(key.to_owned(), Object::new(bytes));
    }

    /// All keys, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// Size and tag of an object that is there.
    pub(super) fn look(&self, key: &str) -> (usize, &str) {
        let object = &self.objects[key];
        (object.bytes.len(), &object.etag)
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.objects.remove(key);
    }

    /// The bytes of an object.
    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.objects.get(key).map(|object| object.bytes.clone())
    }

    /// The keys of uploads that a client knows of and has neither completed nor aborted.
    pub(super) fn known_uploads(&self) -> Vec<&str> {
        self.uploads.values().filter(|up| up.is_known).map(|up| up.key.as_str()).collect()
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let upload = request.query("uploadId");
        match (request.method.as_str(), upload) {
            ("GET", None) if request.query("list-type").is_some() => self.list(request),
            ("POST", None) if request.query("delete").is_some() => {
                self.delete_many(request, |_| false)
            }
            ("GET" | "HEAD", None) => self.read(request),
            ("PUT", _) if self.sums && !request.is_as_sent() => Answer::error(400, "BadDigest"),
            ("PUT", None) => self.write(request),
            ("DELETE", None) => {
                self.remove(&request.key);
                Answer::empty(204)
            }
            ("POST", None) if request.query("uploads").is_some() => self.begin(request),
            ("PUT", Some(id)) => self.take_part(request, id),
            ("POST", Some(id)) => self.complete(request, id),
            ("DELETE", Some(id)) => match self.uploads.remove(id) {
                Some(_) => Answer::empty(204),
                None => Answer::error(404, "NoSuchUpload"),
            },
            ("GET", Some(id)) => self.list_parts(id),
            _ => Answer::error(501, "NotImplemented"),
        }
    }

    fn read(&self, request: &Request) -> Answer {
        let Some(object) = self.objects.get(&request.key) else {
            return Answer::error(404, "NoSuchKey");
        };
        if request.header("if-match").is_some_and(|wanted| wanted != object.etag) {
            return Answer::error(412, "PreconditionFailed");
        }
        let size = object.bytes.len();
        let mut headers = vec![("ETag", object.etag.clone())];
        let of_all = match self.sums && request.header("x-amz-checksum-mode").is_some() {
            true => vec![
                (CRC64NVME, Sum::from(object.crc64nvme).to_string()),
                ("x-amz-checksum-type", "FULL_OBJECT".to_owned()),
            ],
            false => Vec::new(),
        };
        let Some((first, last)) = request.range() else {
            headers.extend(of_all);
            return Answer { status: 200, headers, body: object.bytes.clone() };
        };
        if first >= size {
            let mut answer = Answer::error(416, "InvalidRange");
            answer.headers.push(("Content-Range", format!("bytes */{size}")));
            return answer;
        }
        let end = last.saturating_add(1).min(size);
        if first == 0 && end == size {
            headers.extend(of_all);
        }
        headers.push(("Content-Range", format!("bytes {first}-{}/{size}", end - 1)));
        Answer { status: 206, headers, body: object.bytes.slice(first..end) }
    }

    fn write(&mut self, request: &Request) -> Answer {
        self.put(&request.key, Bytes::copy_from_slice(&request.body));
        let etag = self.objects[&request.key].etag.clone();
        Answer { status: 200, headers: vec![("ETag", etag)], body: Bytes::new() }
    }

    fn begin(&mut self, request: &Request) -> Answer {
        self.uploads_begun += 1;
        let id = format!("upload-{}", self.uploads_begun);
        let key = request.key.clone();
        let answer = Answer::document(
            "InitiateMultipartUploadResult",
            &format!("<Bucket>b</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>"),
        );
        self.uploads.insert(id, Upload { key, parts: BTreeMap::new(), is_known: false });
        answer
    }

    fn take_part(&mut self, request: &Request, id: &str) -> Answer {
        let number = request.query("partNumber").and_then(|text| text.parse().ok());
        let (Some(number @ 1..=10_000), Some(upload)) = (number, self.known(id)) else {
            return Answer::error(404, "NoSuchUpload");
        };
        let part = Object::new(Bytes::copy_from_slice(&request.body));
        let etag = part.etag.clone();
        upload.parts.insert(number, part);
        Answer { status: 200, headers: vec![("ETag", etag)], body: Bytes::new() }
    }

    fn complete(&mut self, request: &Request, id: &str) -> Answer {
        let Some(upload) = self.known(id) else { return Answer::error(404, "NoSuchUpload") };
        let wanted = String::from_utf8_lossy(&request.body).into_owned();
        let numbers = texts(&wanted, "PartNumber").map(|text| text.parse::<u32>().ok());
        let etags = texts(&wanted, "ETag").map(|text| text.replace("&quot;", "\""));
        let (mut bytes, mut sums, mut before) = (Vec::new(), Md5::new(), 0);
        let mut count = 0;
        for (number, etag) in numbers.zip(etags) {
            let number = number.unwrap_or(0);
            match upload.parts.get(&number) {
                Some(part) if number > before && part.etag == etag => {
                    bytes.extend_from_slice(&part.bytes);
                    sums.update(Md5::digest(&part.bytes));
                }
                _ => return Answer::error(400, "InvalidPart"),
            }
            (before, count) = (number, count + 1);
        }
        if count == 0 || count != upload.parts.len() {
            return Answer::error(400, "MalformedXML");
        }
        let etag = quoted(&format!("{}-{count}", hex(&sums.finalize())));
        let key = upload.key.clone();
        self.uploads.remove(id);
        let told = format!("<Key>{key}</Key><ETag>{etag}</ETag>");
        self.objects.insert(key, Object { etag, ..Object::new(bytes.into()) });
        Answer::document("CompleteMultipartUploadResult", &told)
    }

    fn list_parts(&mut self, id: &str) -> Answer {
        let Some(upload) = self.known(id) else { return Answer::error(404, "NoSuchUpload") };
        let part = |(number, part): (&u32, &Object)| {
            let (etag, size) = (&part.etag, part.bytes.len());
            format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><Size>{size}</Size></Part>"
            )
        };
        let parts: String = upload.parts.iter().map(part).collect();
        Answer::document("ListPartsResult", &format!("<UploadId>{id}</UploadId>{parts}"))
    }

    fn known(&mut self, id: &str) -> Option<&mut Upload> {
        let upload = self.uploads.get_mut(id)?;
        upload.is_known = true;
        Some(upload)
    }
}

impl Object {
    fn new(bytes: Bytes) -> Object {
        let etag = quoted(&hex(&Md5::digest(&bytes)));
        Object { crc64nvme: Crc64::of(&bytes), etag, bytes }
    }
}

impl Request {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The checksum that came with the body.
    pub(super) fn sum(&self) -> Option<Sum> {
        Sum::parse(ChecksumAlgorithm::Crc64Nvme, self.header(CRC64NVME)?)
    }

    /// Whether the body is what its checksum says.
    fn is_as_sent(&self) -> bool {
        self.sum().is_none_or(|sum| sum == Sum::from(Crc64::of(&self.body)))
    }

    /// First and last byte that are asked for.
    fn range(&self) -> Option<(usize, usize)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().unwrap_or(usize::MAX)))
    }
}

impl Answer {
    pub(super) fn empty(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub(super) fn error(status: u16, code: &str) -> Answer {
        let document = Answer::document("Error", &format!("<Code>{code}</Code>"));
        Answer { status, ..document }
    }

    pub(super) fn document(root: &str, inside: &str) -> Answer {
        let body = format!("<?xml version=\"1.0\"?><{root}>{inside}</{root}>").into();
        Answer { status: 200, headers: vec![("Content-Type", "application/xml".into())], body }
    }

    /// As it goes over the wire; the answer to a HEAD has no body, and says how long it would be.
    pub(super) fn encode(&self, is_head: bool) -> Bytes {
        let mut wire = format!("HTTP/1.1 {} Said\r\n", self.status);
        for (name, value) in &self.headers {
            wire.push_str(&format!("{name}: {value}\r\n"));
        }
        wire.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        let mut wire = wire.into_bytes();
        if !is_head {
            wire.extend_from_slice(&self.body);
        }
        wire.into()
    }
}

/// What stands in each element of this name.
pub(super) fn texts<'a>(document: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = document;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(&open)?;
        let (text, behind) = behind.split_once(&close)?;
        rest = behind;
        Some(text)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
