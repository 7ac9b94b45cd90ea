use super::*;

const CONTEXT: ErrorContext<'static> = ErrorContext {
    operation: "GetObject",
    bucket: "data",
    key: Some("a/b"),
    http_status: 404,
    request_id: Some("header-id"),
    host_id: None,
    bucket_region: None,
};

fn read(status: u16, body: &str) -> S3Error {
    let context = ErrorContext { http_status: status, ..CONTEXT };
    S3Error::from_answer(&context, body.as_bytes(), &XmlLimits::default())
}

fn with_code(status: u16, code: &str) -> S3Error {
    read(status, &format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
}

#[test]
fn an_error_says_everything_in_one_line() {
    let error = read(
        404,
        "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>\
         <RequestId>doc-id</RequestId><HostId>host</HostId></Error>",
    );
    assert_eq!(error.kind(), S3ErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "GetObject s3://data/a/b: HTTP 404 NoSuchKey: The specified key does not exist; there is \
         no such object; check the key, with its case and slashes, and the bucket \
         (1 attempt, request id doc-id, host id host)"
    );
}

#[test]
fn attempts_and_the_reason_to_stop_are_told() {
    let mut error = with_code(503, "SlowDown");
    error.attempts = 5;
    error.gave_up = Some(GiveUp::TriesSpent);
    let text = error.to_string();
    assert!(text.contains("(5 attempts, all tries are used up, request id header-id)"), "{text}");
}

#[test]
fn an_answer_without_body_is_sorted_by_its_status() {
    for (status, kind) in [
        (301, S3ErrorKind::WrongRegion),
        (304, S3ErrorKind::NotModified),
        (400, S3ErrorKind::InvalidRequest),
        (403, S3ErrorKind::AccessDenied),
        (404, S3ErrorKind::NotFound),
        (409, S3ErrorKind::Conflict),
        (412, S3ErrorKind::PreconditionFailed),
        (416, S3ErrorKind::InvalidRange),
        (429, S3ErrorKind::Throttled),
        (500, S3ErrorKind::Server),
        (503, S3ErrorKind::Throttled),
    ] {
        let error = read(status, "");
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.code.is_empty());
        assert!(error.to_string().contains("request id header-id"));
    }
}

#[test]
fn common_codes_name_their_way_out() {
    for (status, code, way_out) in [
        (404, "NoSuchKey", "check the key"),
        (404, "NoSuchBucket", "AWS_ENDPOINT_URL"),
        (403, "AccessDenied", "check the policy"),
        (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        (403, "RequestTimeTooSkewed", "set the clock"),
        (503, "SlowDown", "lower the concurrency"),
        (301, "PermanentRedirect", "AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (416, "InvalidRange", "behind the object's end"),
        (400, "EntityTooSmall", "larger part size"),
        (404, "NoSuchUpload", "completed or aborted"),
        (412, "PreconditionFailed", "changed meanwhile"),
        (400, "ExpiredToken", "fetch new ones"),
        (403, "InvalidObjectState", "restore it"),
        (200, "InternalError", "request id"),
        (501, "NotImplemented", "checksums off"),
    ] {
        let text = with_code(status, code).to_string();
        assert!(text.contains(way_out), "{code}: {text}");
    }
}

#[test]
fn the_right_region_and_endpoint_are_told() {
    let context = ErrorContext { bucket_region: Some("eu-west-1"), ..CONTEXT };
    let body = b"<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.example</Endpoint></Error>";
    let error = S3Error::from_answer(&context, body, &XmlLimits::default());
    assert!(error.to_string().contains("the bucket is in region eu-west-1"), "{error}");
    assert!(error.to_string().contains("the endpoint b.s3.example"), "{error}");
}

#[test]
fn a_proxys_page_becomes_the_message() {
    let page = format!("<html>\n<h1>Bad\u{1b}[31m  gateway</h1>{}</html>", "x".repeat(9_000));
    let error = read(502, &page);
    assert!(error.message.starts_with("<html> <h1>Bad [31m gateway</h1>"), "{error}");
    assert!(error.message.chars().count() <= TEXT_CHARS_MAX + 3);
    assert_eq!(error.kind(), S3ErrorKind::Server);
}

/// SEC-1
#[test]
fn what_a_server_repeats_of_the_credentials_is_not_kept() {
    for end in ["</Error>", ""] {
        let error = read(
            400,
            &format!(
                "<Error><Code>ExpiredToken</Code><Token-0>FwoGZXIv</Token-0>\
                 <CanonicalRequest>FwoGZXIv</CanonicalRequest>{end}"
            ),
        );
        assert!(!format!("{error} {error:?}").contains("FwoGZXIv"), "{error}");
    }
}

#[test]
fn keys_cannot_break_the_line() {
    let context = ErrorContext { key: Some("a\nb\u{1b}"), ..CONTEXT };
    let error = S3Error::from_answer(&context, b"", &XmlLimits::default());
    assert!(error.to_string().starts_with("GetObject s3://data/a\\nb\\u{1b}: HTTP 404"), "{error}");
}
