//! What S3 alone can do, asked for by a C program: of our server, and of a peer that takes anything and
//! remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::common::{self, Bucket, Folder, Library, Linking, run};

const OWNER: &str = "x-amz-expected-bucket-owner: 111122223333";
const PAYER: &str = "x-amz-request-payer: requester";
/// Of 32 times the byte 7.
const KEY: &str = "-customer-key: BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const OF_THE_OBJECT: [&str; 3] = [
    "x-amz-storage-class: STANDARD_IA",
    "x-amz-acl: bucket-owner-full-control",
    "x-amz-tagging: team=a%20b&cost=1",
];
const TAGS: &str = "<Tagging><TagSet><Tag><Key>team</Key><Value>a b</Value></Tag>\
                    <Tag><Key>cost</Key><Value>1</Value></Tag></TagSet></Tagging>";

const VERSIONING: &str =
    "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const LOCATION: &str = "<LocationConstraint>eu-central-1</LocationConstraint>";
const VERSIONS: &str = "<ListVersionsResult><IsTruncated>true</IsTruncated>\
    <NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker>\
    <Version><Key>a</Key><VersionId>2</VersionId><IsLatest>true</IsLatest>\
    <LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size>\
    <StorageClass>STANDARD</StorageClass><Owner><ID>me</ID></Owner>\
    <ChecksumAlgorithm>CRC32C</ChecksumAlgorithm></Version></ListVersionsResult>";
const LAST_VERSIONS: &str = "<ListVersionsResult><IsTruncated>false</IsTruncated>\
    <DeleteMarker><Key>b</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>\
    <LastModified>2026-01-02T03:04:05.000Z</LastModified></DeleteMarker></ListVersionsResult>";

const PARTS: &str = "<GetObjectAttributesResponse><ObjectParts><TotalPartsCount>3</TotalPartsCount>\
    <IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>\
    <Part><PartNumber>1</PartNumber><Size>8</Size><ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></Part>\
    <Part><PartNumber>2</PartNumber><Size>8</Size></Part></ObjectParts></GetObjectAttributesResponse>";
/// Of a server that names the same parts again as those that follow.
const LAST_PARTS: &str = "<GetObjectAttributesResponse><ObjectParts><TotalPartsCount>3</TotalPartsCount>\
    <IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>\
    <Part><PartNumber>3</PartNumber><Size>5</Size></Part></ObjectParts></GetObjectAttributesResponse>";
/// All that the head of an object can say.
const DESCRIBED: &str = "ETag: \"e\"\r\nx-amz-version-id: v1\r\nContent-Length: 5\r\n\
    x-amz-storage-class: GLACIER\r\nx-amz-expiration: soon\r\nx-amz-restore: ongoing\r\n\
    x-amz-archive-status: ARCHIVE_ACCESS\r\nx-amz-replication-status: COMPLETED\r\n\
    x-amz-object-lock-mode: GOVERNANCE\r\nx-amz-object-lock-legal-hold: ON\r\n\
    x-amz-object-lock-retain-until-date: 2100-01-01T00:00:00Z\r\n\
    x-amz-website-redirect-location: /there\r\nx-amz-server-side-encryption: aws:kms\r\n\
    x-amz-server-side-encryption-aws-kms-key-id: a-key\r\n\
    x-amz-server-side-encryption-context: e30=\r\n\
    x-amz-server-side-encryption-bucket-key-enabled: true\r\n\
    x-amz-server-side-encryption-customer-algorithm: AES256\r\n\
    x-amz-server-side-encryption-customer-key-md5: bWQ1\r\n\
    x-amz-mp-parts-count: 3\r\nx-amz-tagging-count: 2\r\nx-amz-missing-meta: 1\r\n\
    x-amz-request-charged: requester\r\nx-amz-checksum-crc32: NhCmhg==\r\n\
    x-amz-checksum-type: FULL_OBJECT\r\nContent-Type: text/told\r\n";
const UPLOADS: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
    <Upload><Key>a</Key><UploadId>1</UploadId></Upload><Upload><Key>b</Key><UploadId>2</UploadId>\
    <Owner><ID>me</ID><DisplayName>myself</DisplayName></Owner>\
    <Initiator><ID>somebody</ID></Initiator><StorageClass>GLACIER</StorageClass>\
    <ChecksumAlgorithm>SHA256</ChecksumAlgorithm></Upload></ListMultipartUploadsResult>";
/// Of what is rolled up, the prefixes stand behind everything else.
const LISTED: &str = "<ListBucketResult><IsTruncated>true</IsTruncated>\
    <NextContinuationToken>next</NextContinuationToken><Contents><Key>a b1</Key>\
    <LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size>\
    <StorageClass>GLACIER</StorageClass><ChecksumAlgorithm>CRC32C</ChecksumAlgorithm>\
    <ChecksumType>COMPOSITE</ChecksumType><Owner><ID>me</ID><DisplayName>myself</DisplayName></Owner>\
    <RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>\
    <RestoreExpiryDate>2026-01-02T03:04:05.000Z</RestoreExpiryDate></RestoreStatus></Contents>\
    <CommonPrefixes><Prefix>a b/</Prefix></CommonPrefixes></ListBucketResult>";
const LAST_LISTED: &str = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a b2</Key>\
    <Size>5</Size><RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>\
    </Contents></ListBucketResult>";
const ROLLED_UPLOADS: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
    <Upload><Key>a b1</Key><UploadId>u</UploadId><Owner><ID>me</ID></Owner></Upload>\
    <CommonPrefixes><Prefix>a b2/</Prefix></CommonPrefixes>\
    <CommonPrefixes><Prefix>a b/</Prefix></CommonPrefixes></ListMultipartUploadsResult>";
const ROLLED_VERSIONS: &str = "<ListVersionsResult><IsTruncated>false</IsTruncated>\
    <Version><Key>a b1</Key><VersionId>2</VersionId><IsLatest>true</IsLatest><Size>5</Size></Version>\
    <Version><Key>a b1</Key><VersionId>1</VersionId><IsLatest>false</IsLatest><Size>4</Size>\
    <Owner><ID>me</ID></Owner></Version>\
    <CommonPrefixes><Prefix>a b/</Prefix></CommonPrefixes></ListVersionsResult>";
const REFUSED: &str = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
const MADE: &str = "<CompleteMultipartUploadResult><ETag>&quot;made&quot;</ETag>\
    <ChecksumCRC32C>NhCmhg==-2</ChecksumCRC32C></CompleteMultipartUploadResult>";
const BEGUN: &str =
    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
const UPLOADED: &str = "<ListPartsResult><IsTruncated>false</IsTruncated>\
    <Owner><ID>me</ID></Owner><Initiator><ID>somebody</ID></Initiator>\
    <StorageClass>GLACIER</StorageClass><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
    <Part><PartNumber>1</PartNumber><Size>8</Size><ETag>&quot;e&quot;</ETag></Part></ListPartsResult>";
const BUCKETS: &str = "<ListAllMyBucketsResult><Buckets><Bucket><Name>bucket</Name></Bucket></Buckets>\
    <Owner><ID>me</ID><DisplayName>myself</DisplayName></Owner></ListAllMyBucketsResult>";
const COPIED_WHOLE: &str = "<CopyObjectResult><ETag>&quot;copied&quot;</ETag>\
    <LastModified>2026-01-02T03:04:05.000Z</LastModified></CopyObjectResult>";
const COPIED_AS: &str = "x-amz-version-id: v2\r\nx-amz-copy-source-version-id: v1\r\n\
    x-amz-server-side-encryption: AES256\r\n";
/// Of an account that has nothing to do with the bucket.
const FOREIGN: &str = "x-amz-bucket-region: eu-west-3\r\nx-amz-id-2: host\r\nContent-Length: 0\r\n";
const COPIED: &str = "<CopyPartResult><ETag>&quot;copied&quot;</ETag>\
    <ChecksumCRC32>NhCmhg==</ChecksumCRC32></CopyPartResult>";
const DELETED: &str = "<DeleteResult><Deleted><Key>versioned</Key><VersionId>v1</VersionId></Deleted>\
    <Deleted><Key>marked</Key><DeleteMarker>true</DeleteMarker>\
    <DeleteMarkerVersionId>m2</DeleteMarkerVersionId></Deleted>\
    <Error><Key>guarded</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>";
const CHANGED: &str = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
const WHOLE: &str =
    "<GetObjectAttributesResponse><ObjectSize>5</ObjectSize></GetObjectAttributesResponse>";

#[test]
fn what_s3_alone_can_do_is_asked_for() {
    let library = Library::get();
    let (folder, bucket, peer) = (Folder::new(), Bucket::new(), Peer::start());
    let source = common::crate_path("tests/c/service.c");
    let program = library.link(&folder, &source, Linking::Static);
    let mut command = library.command(&program, &bucket);
    let output = run(command.args(["s3://a-new-one", &peer.uri]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the service was asked\n");

    let seen = peer.seen.lock().expect("whole");
    let of = |key: &str| -> Vec<&String> { seen.iter().filter(|it| it.contains(key)).collect() };
    let said = of("/bucket/said");
    // Three puts and a stat, a read, and both sides of a copy.
    assert_eq!(said.len(), 7, "{said:#?}");
    for request in &said {
        assert!(request.contains(OWNER) && request.contains(PAYER), "{request}");
        assert!(request.contains(KEY), "{request}");
        for field in OF_THE_OBJECT {
            assert_eq!(request.contains(field), request.starts_with("PUT"), "{field}: {request}");
        }
    }
    let tagged = of("/bucket/tagged?tagging=&versionId=v1");
    assert_eq!(tagged.len(), 3, "{seen:#?}");
    for (request, method) in tagged.iter().zip(["PUT", "DELETE", "GET"]) {
        assert!(request.starts_with(method) && request.contains(OWNER), "{request}");
        assert!(request.contains(PAYER), "{request}");
    }
    assert!(tagged[0].ends_with("<Tag><Key>cost</Key><Value>1</Value></Tag></TagSet></Tagging>"));
    for (key, fields) in [
        ("kept/s3", &["x-amz-server-side-encryption: AES256"][..]),
        (
            "kept/kms",
            &[
                "x-amz-server-side-encryption: aws:kms\r",
                "-aws-kms-key-id: a-key",
                "-encryption-context: e30=",
                "-bucket-key-enabled: true",
            ],
        ),
        (
            "kept/dual",
            &["x-amz-server-side-encryption: aws:kms:dsse", "-bucket-key-enabled: false"],
        ),
    ] {
        let requests = of(key);
        assert_eq!(requests.len(), 1, "{key}");
        for field in fields {
            assert!(requests[0].contains(field), "{field}: {}", requests[0]);
        }
    }
    let told_of_versions = of("versioning=");
    assert_eq!(told_of_versions.len(), 2, "{seen:#?}");
    assert!(
        told_of_versions[0].contains("x-amz-mfa: 123 456") && told_of_versions[0].contains(OWNER)
    );
    assert!(told_of_versions[0].ends_with("<Status>Suspended</Status></VersioningConfiguration>"));
    assert!(told_of_versions[1].contains(OWNER));
    let listed = of("versions=");
    assert_eq!(listed.len(), 2, "{seen:#?}");
    assert!(
        listed.iter().all(|it| it.contains("prefix=a%20b") && it.contains(PAYER)),
        "{listed:#?}"
    );
    assert!(listed[1].contains("version-id-marker=2"), "{}", listed[1]);
    assert_eq!(of("location=").len(), 1);
    let gone = of("/bucket/gone?versionId=a%2Fb");
    assert_eq!(gone.len(), 2, "{seen:#?}");
    for (request, powers) in gone.iter().zip([true, false]) {
        assert!(request.starts_with("DELETE"), "{request}");
        assert_eq!(request.contains("x-amz-mfa: 123 456"), powers, "{request}");
        assert_eq!(
            request.contains("x-amz-bypass-governance-retention: true"),
            powers,
            "{request}"
        );
        assert_eq!(request.contains(OWNER) && request.contains(PAYER), powers, "{request}");
    }
    let parts = of("attributes=");
    assert_eq!(parts.len(), 3, "{seen:#?}");
    for request in &parts[..2] {
        assert!(request.contains("/bucket/parts?attributes=&versionId=v1"), "{request}");
        assert!(request.contains(OWNER) && request.contains(PAYER), "{request}");
        assert!(request.contains(KEY), "{request}");
    }
    assert!(!parts[0].contains("x-amz-part-number-marker"), "{}", parts[0]);
    assert!(parts[1].contains("x-amz-part-number-marker: 2"), "{}", parts[1]);
    assert!(!parts[2].contains("versionId") && !parts[2].contains(OWNER), "{}", parts[2]);
    assert_eq!(
        seen.len(),
        7 + 3 + 3 + 2 + 2 + 1 + 2 + 3,
        "nothing went out that makes no sense: {seen:#?}"
    );
}

/// A server that ends with the process.
pub struct Peer {
    pub uri: String,
    /// Heads and bodies.
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    pub fn start() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let uri = format!("s3://{}/bucket", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let noted = Arc::clone(&noted);
                // The client may hang up at any time.
                std::thread::spawn(move || answer_all(stream, &noted).ok());
            }
        });
        Peer { uri, seen }
    }
}

fn answer_all(stream: TcpStream, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut output = stream;
    loop {
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            if input.read_line(&mut request)? == 0 {
                return Ok(());
            }
        }
        let field = |name: &str| {
            let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            line.split_once(": ").map(|(_, value)| value.to_owned())
        };
        let length = field("content-length:").map_or(0, |text| text.parse().expect("a number"));
        let expects = field("expect:").is_some();
        if expects {
            output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body)?;
        let (status, fields, answer) = match request.split(' ').next() {
            Some("HEAD") if request.contains("owner: 999") => ("403 Forbidden", FOREIGN, ""),
            Some("HEAD") if request.contains("/bucket/described") => ("200 OK", DESCRIBED, ""),
            Some("HEAD") => {
                ("200 OK", "ETag: \"e\"\r\nx-amz-version-id: v1\r\nContent-Length: 5\r\n", "")
            }
            Some("GET") if request.contains("continuation-token=") => ("200 OK", "", LAST_LISTED),
            Some("GET") if request.contains("list-type=2") => ("200 OK", "", LISTED),
            Some("GET") if request.contains("?uploads=") && request.contains("delimiter=") => {
                ("200 OK", "", ROLLED_UPLOADS)
            }
            Some("GET") if request.contains("?versions=") && request.contains("delimiter=") => {
                ("200 OK", "", ROLLED_VERSIONS)
            }
            Some("GET") if request.contains("tagging") => ("200 OK", "", TAGS),
            Some("GET") if request.contains("versioning=") => ("200 OK", "", VERSIONING),
            Some("GET") if request.contains("x-amz-part-number-marker") => {
                ("200 OK", "", LAST_PARTS)
            }
            Some("GET") if request.contains("/whole?attributes=") => ("200 OK", "", WHOLE),
            Some("GET") if request.contains("attributes=") => ("200 OK", "", PARTS),
            Some("GET") if request.contains("location=") => ("200 OK", "", LOCATION),
            Some("GET") if request.contains("key-marker=a") => ("200 OK", "", LAST_VERSIONS),
            Some("GET") if request.contains("versions=") => ("200 OK", "", VERSIONS),
            Some("GET") if request.contains("uploads=") => ("200 OK", "", UPLOADS),
            Some("GET") if request.contains("uploadId=") => ("200 OK", "", UPLOADED),
            Some("GET") if request.starts_with("GET / ") => ("200 OK", "", BUCKETS),
            Some("GET") => {
                ("206 Partial Content", "ETag: \"e\"\r\nContent-Range: bytes 0-4/5\r\n", "hello")
            }
            Some("DELETE") if request.contains("/bucket/changed") => {
                ("412 Precondition Failed", "", CHANGED)
            }
            Some("DELETE") if request.contains("/bucket/kept?uploadId=") => {
                ("403 Forbidden", "", REFUSED)
            }
            Some("DELETE") => ("204 No Content", "", ""),
            Some("POST") if request.contains("?uploadId=") => ("200 OK", "", MADE),
            Some("POST") if request.contains("?uploads=") => ("200 OK", "", BEGUN),
            Some("POST") if request.contains("?delete=") => ("200 OK", "", DELETED),
            Some("PUT") if request.contains("/bucket/copied") => {
                ("200 OK", COPIED_AS, COPIED_WHOLE)
            }
            Some("PUT") if request.contains("x-amz-copy-source") => ("200 OK", "", COPIED),
            _ => ("200 OK", "ETag: \"e\"\r\nx-amz-version-id: v2\r\n", ""),
        };
        let length = match fields.contains("Content-Length") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", answer.len()),
        };
        request += &String::from_utf8_lossy(&body);
        seen.lock().expect("whole").push(request);
        write!(output, "HTTP/1.1 {status}\r\n{fields}{length}\r\n{answer}")?;
    }
}
