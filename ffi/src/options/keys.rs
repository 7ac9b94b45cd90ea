//! The options by name: what the value of each has to be, and what it sets. The comment at
//! `hyd_options_set` lists them for C, with the stores that they are of.

use std::sync::Arc;
use std::time::Duration;

use hydrant::ChecksumAlgorithm;
use hydrant::engine::TlsVersion;
use hydrant::pipeline::CONNECTIONS_MAX;
use hydrant::s3::endpoint::{AddressStyle, Endpoint, EndpointOptions};
use hydrant::s3::{
    ChecksumPlace, ChecksumPolicy, EndpointChoice, PayloadSigning, S3Config, SentChecksum,
};
use zeroize::Zeroizing;

use super::settings::{Change, Settings};
use super::tls::Pem;

/// An option that stands in the settings of S3 as it is: its name, what its value has to be, and what
/// reads that.
pub type OfS3 = (&'static str, &'static str, fn(&str) -> Option<Change>);

/// One of several that make a setting, or one that is none of S3's.
pub type Own = (&'static str, &'static str, fn(&mut Settings, &str) -> Option<()>);

const BOOL: &str = "true or false";
const BYTES: &str = "bytes, a number from 1";
const FILE: &str = "the path of a file";
const HEAD_BYTES: &str = "bytes, from 1 KiB (1024) to 1 MiB (1048576)";
const MS: &str = "milliseconds, a number from 1";
const NAME: &str = "a name";
const NUMBER: &str = "a number from 1";
const PEM: &str = "PEM, with its lines of BEGIN and END";
const POLICY: &str = "when_supported, when_required or off";
const SECONDS: &str = "seconds, a number from 1";

/// All that stand in the settings of S3.
pub fn of_s3() -> impl Iterator<Item = &'static OfS3> {
    [SERVER, CREDENTIALS, CONNECTIONS, FRAMING, RETRIES, FIRST_BYTE, OBJECTS].into_iter().flatten()
}

/// All others.
pub fn own() -> impl Iterator<Item = &'static Own> {
    [KEYS, TLS, TRANSFERS].into_iter().flatten()
}

/// Where the server is.
const SERVER: &[OfS3] = &[
    ("endpoint", "https://host:port or http://host:port, one or several of one store", |value| {
        let url = Some(value.to_owned());
        let it = resolves(EndpointOptions { url, ..EndpointOptions::default() });
        on(it, |s3, it| s3.endpoint.url = it.url)
    }),
    ("region", "a name, such as eu-central-1", |value| {
        let region = Some(value.to_owned());
        let it = resolves(EndpointOptions { region, ..EndpointOptions::default() });
        on(it, |s3, it| s3.endpoint.region = it.region)
    }),
    ("address_style", "path or virtual_host", |value| {
        let known = [("path", AddressStyle::Path), ("virtual_host", AddressStyle::VirtualHost)];
        on(word(value, known), |s3, it| s3.endpoint.style = Some(it))
    }),
    ("dual_stack", BOOL, |value| {
        on(value.parse().ok(), |s3, it| s3.endpoint.dual_stack = Some(it))
    }),
    ("fips", BOOL, |value| on(value.parse().ok(), |s3, it| s3.endpoint.fips = Some(it))),
    ("endpoint_choice", "least_pending or round_robin", |value| {
        let known = [
            ("least_pending", EndpointChoice::LeastPending),
            ("round_robin", EndpointChoice::RoundRobin),
        ];
        on(word(value, known), |s3, it| s3.endpoints.choice = it)
    }),
    ("endpoint_failures", NUMBER, |value| {
        on(number(value), |s3, it| s3.endpoints.failures_max = it)
    }),
    ("endpoint_left_alone_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.endpoints.left_alone = it)
    }),
    ("endpoint_left_alone_max_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.endpoints.left_alone_max = it)
    }),
];

/// Who signs.
const KEYS: &[Own] = &[
    ("access_key_id", "a key", |all, value| text(value).map(|it| all.access_key_id = Some(it))),
    ("secret_access_key", "a secret", |all, value| {
        text(value).map(|it| all.secret_access_key = Some(Zeroizing::new(it)))
    }),
    ("session_token", "a token", |all, value| {
        text(value).map(|it| all.session_token = Some(Zeroizing::new(it)))
    }),
    ("anonymous", BOOL, |all, value| value.parse().ok().map(|it| all.anonymous = it)),
    ("credentials_refresh_seconds", SECONDS, |all, value| {
        seconds(value).map(|it| all.set_refresh(it))
    }),
];

/// Who is asked who signs.
const CREDENTIALS: &[OfS3] = &[
    ("profile", NAME, |value| on(text(value), |s3, it| s3.profile = Some(it))),
    ("credentials_request_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.credentials.request = it)
    }),
    ("credentials_metadata_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.credentials.metadata_request = it)
    }),
    ("credentials_tries", NUMBER, |value| {
        on(number(value), |s3, it| s3.credentials.tries_max = it)
    }),
    ("credentials_process_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.credentials.process = it)
    }),
    ("credentials_answer_bytes", BYTES, |value| {
        on(count(value), |s3, it| s3.credentials.answer_bytes_max = it)
    }),
];

/// How TLS is spoken.
const TLS: &[Own] = &[
    ("ca_file", FILE, |all, value| Pem::file(value).map(|it| all.tls.roots = Some(it))),
    ("ca_pem", PEM, |all, value| Pem::text(value).map(|it| all.tls.roots = Some(it))),
    ("client_certificate_file", FILE, |all, value| {
        Pem::file(value).map(|it| all.tls.certificate = Some(it))
    }),
    ("client_certificate_pem", PEM, |all, value| {
        Pem::text(value).map(|it| all.tls.certificate = Some(it))
    }),
    ("client_key_file", FILE, |all, value| Pem::file(value).map(|it| all.tls.key = Some(it))),
    ("client_key_pem", PEM, |all, value| Pem::text(value).map(|it| all.tls.key = Some(it))),
    ("tls_min_version", "1.2 or 1.3", |all, value| {
        let known = [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
        word(value, known).map(|it| all.tls.min_version = Some(it))
    }),
    ("tls_handshake_seconds", SECONDS, |all, value| {
        seconds(value).map(|it| all.tls.handshake = Some(it))
    }),
];

/// Connections, and what is said over them.
const CONNECTIONS: &[OfS3] = &[
    ("connections_per_core", NUMBER, |value| {
        on(count(value), |s3, it| s3.http.connections_per_core_max = it)
    }),
    ("in_order_per_core", NUMBER, |value| {
        on(count(value), |s3, it| s3.http.in_order_per_core_max = it)
    }),
    ("connect_seconds", SECONDS, |value| on(seconds(value), |s3, it| s3.http.connect.total = it)),
    ("connect_attempt_delay_ms", MS, |value| {
        on(millis(value), |s3, it| s3.http.connect.attempt_delay = it)
    }),
    ("connect_attempts", NUMBER, |value| {
        on(count(value), |s3, it| s3.http.connect.attempts_max = it)
    }),
    ("addresses_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.http.addresses.age_max = it)
    }),
    ("addresses_kept_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.http.addresses.kept = Some(it))
    }),
    ("address_left_alone_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.http.addresses.left_alone = it)
    }),
    ("addresses", NUMBER, |value| on(count(value), |s3, it| s3.http.addresses.most = it)),
    ("stall_seconds", SECONDS, |value| on(seconds(value), |s3, it| s3.http.stall = it)),
    ("idle_seconds", SECONDS, |value| on(seconds(value), |s3, it| s3.http.idle = it)),
    ("requests_per_connection", NUMBER, |value| {
        on(number(value), |s3, it| s3.http.requests_per_connection_max = Some(it))
    }),
    ("expect_continue_bytes", "bytes, a number from 1, or never", |value| {
        let known = word(value, [("never", None)]);
        let least = known.or_else(|| bytes(value).map(Some));
        on(least, |s3, it| s3.http.expect_continue_bytes_min = it)
    }),
    ("expect_continue_ms", MS, |value| {
        on(millis(value), |s3, it| s3.http.expect_continue_wait = it)
    }),
    ("early_answer_ms", MS, |value| on(millis(value), |s3, it| s3.http.early_answer_wait = it)),
    ("redirects", "a number", |value| on(value.parse().ok(), |s3, it| s3.http.redirects_max = it)),
    ("redirect_origins", NUMBER, |value| {
        on(count(value), |s3, it| s3.http.redirect_origins_max = it)
    }),
    ("document_bytes", BYTES, |value| on(count(value), |s3, it| s3.http.document_bytes_max = it)),
    ("kept_document_bytes", "bytes, a number", |value| {
        on(value.parse().ok(), |s3, it: u32| s3.http.kept_document_bytes_max = it as usize)
    }),
];

/// What a server may say around its answers.
const FRAMING: &[OfS3] = &[
    ("request_head_bytes", HEAD_BYTES, |value| {
        on(head_bytes(value), |s3, it| s3.http.request_head_bytes_max = it)
    }),
    ("answer_head_bytes", HEAD_BYTES, |value| {
        on(head_bytes(value), |s3, it| s3.http.head.head_bytes_max = it)
    }),
    ("answer_headers", NUMBER, |value| on(count(value), |s3, it| s3.http.head.headers_max = it)),
    ("interim_heads", NUMBER, |value| {
        on(number(value), |s3, it| s3.http.head.interim_heads_max = it)
    }),
    ("chunk_line_bytes", BYTES, |value| {
        on(bytes(value), |s3, it| s3.http.chunk.size_line_bytes_max = it)
    }),
    ("chunk_extension_bytes", BYTES, |value| {
        on(bytes(value), |s3, it| s3.http.chunk.extension_bytes_max = it)
    }),
    ("trailer_bytes", BYTES, |value| {
        on(bytes(value), |s3, it| s3.http.chunk.trailer_bytes_max = it)
    }),
];

/// What is tried again, and when.
const RETRIES: &[OfS3] = &[
    ("tries", NUMBER, |value| on(number(value), |s3, it| s3.retry.tries_max = it)),
    ("retry_wait_ms", MS, |value| on(millis(value), |s3, it| s3.retry.base = it)),
    ("retry_throttled_wait_ms", MS, |value| {
        on(millis(value), |s3, it| s3.retry.base_throttled = it)
    }),
    ("retry_wait_max_ms", MS, |value| on(millis(value), |s3, it| s3.retry.wait_max = it)),
    ("retry_after_max_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.retry.retry_after_max = it)
    }),
    ("clock_off_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.retry.clock_off_max = it)
    }),
    ("renewal_wait_seconds", SECONDS, |value| {
        on(seconds(value), |s3, it| s3.retry.renewal_wait = it)
    }),
    ("pace_least", NUMBER, |value| on(count(value), |s3, it| s3.pace.least = it)),
    ("pace_lowered_to_percent", "a number from 1 to 99", |value| {
        let percent = value.parse().ok().filter(|it| (1..=99).contains(it));
        on(percent, |s3, it: u8| s3.pace.lowered_to_percent = it)
    }),
    ("pace_raised_by", NUMBER, |value| on(count(value), |s3, it| s3.pace.raised_by = it)),
];

/// How long the answer to a part is waited for, as was learnt.
const FIRST_BYTE: &[OfS3] = &[
    ("first_byte_most_ms", "milliseconds, a number from 1, or never", |value| {
        let known = word(value, [("never", Duration::ZERO)]);
        on(known.or_else(|| millis(value)), |s3, it| s3.first_byte.most = it)
    }),
    ("first_byte_least_ms", MS, |value| on(millis(value), |s3, it| s3.first_byte.least = it)),
    ("first_byte_above_mean_ms", MS, |value| {
        on(millis(value), |s3, it| s3.first_byte.above_mean = it)
    }),
    ("first_byte_learnt_from", NUMBER, |value| {
        on(count(value), |s3, it| s3.first_byte.learnt_from = it)
    }),
    ("first_byte_learnt_percent", "a number from 1 to 100", |value| {
        let percent = value.parse().ok().filter(|it| (1..=100).contains(it));
        on(percent, |s3, it: u8| s3.first_byte.learnt_percent = it)
    }),
    ("first_byte_lowered_by_part", NUMBER, |value| {
        on(number(value), |s3, it| s3.first_byte.lowered_by_part = it)
    }),
    ("first_byte_counted", NUMBER, |value| on(number(value), |s3, it| s3.first_byte.counted = it)),
    ("first_byte_late_in_10000", NUMBER, |value| {
        on(number(value), |s3, it| s3.first_byte.late_in_10_000 = it)
    }),
    ("first_byte_raised_by_ms", MS, |value| {
        on(millis(value), |s3, it| s3.first_byte.raised_by = it)
    }),
    ("first_byte_many_late_in_10000", NUMBER, |value| {
        on(number(value), |s3, it| s3.first_byte.many_late_in_10_000 = it)
    }),
    ("first_byte_many_raised_by_ms", MS, |value| {
        on(millis(value), |s3, it| s3.first_byte.many_raised_by = it)
    }),
];

/// What goes with the bytes of objects.
const OBJECTS: &[OfS3] = &[
    ("request_checksum_calculation", POLICY, |value| {
        on(ChecksumPolicy::parse(value), |s3, it| s3.checksums.requests = Some(it))
    }),
    ("response_checksum_validation", POLICY, |value| {
        on(ChecksumPolicy::parse(value), |s3, it| s3.checksums.answers = Some(it))
    }),
    ("checksum_algorithm", "crc64nvme, crc32c, crc32, sha1, sha256 or md5", |value| {
        let known = [
            ("crc64nvme", SentChecksum::Kept(ChecksumAlgorithm::Crc64Nvme)),
            ("crc32c", SentChecksum::Kept(ChecksumAlgorithm::Crc32c)),
            ("crc32", SentChecksum::Kept(ChecksumAlgorithm::Crc32)),
            ("sha1", SentChecksum::Kept(ChecksumAlgorithm::Sha1)),
            ("sha256", SentChecksum::Kept(ChecksumAlgorithm::Sha256)),
            ("md5", SentChecksum::ContentMd5),
        ];
        on(word(value, known), |s3, it| s3.checksums.sent = it)
    }),
    ("checksum_place", "head, trailer or signed_trailer", |value| {
        let known = [
            ("head", ChecksumPlace::Head),
            ("trailer", ChecksumPlace::Trailer),
            ("signed_trailer", ChecksumPlace::SignedTrailer),
        ];
        on(word(value, known), |s3, it| s3.checksums.place = it)
    }),
    ("payload_signing", "unsigned or signed", |value| {
        let known = [("unsigned", PayloadSigning::Unsigned), ("signed", PayloadSigning::Signed)];
        on(word(value, known), |s3, it| s3.payload_signing = it)
    }),
    ("state_dir", "the path of a folder", |value| {
        on(text(value), |s3, it| s3.state_dir = Some(it.into()))
    }),
    ("server_copy_whole_bytes", BYTES, |value| {
        on(bytes(value), |s3, it| s3.copy.whole_bytes_max = it)
    }),
    ("server_copy_part_size", "bytes, from 5 MiB (5242880) to 5 GiB (5368709120)", |value| {
        let size = bytes(value).filter(|size| (5 << 20..=5 << 30).contains(size));
        on(size, |s3, it| s3.copy.part_size_bytes = it)
    }),
];

/// How transfers are cut, of any store, and where files are.
const TRANSFERS: &[Own] = &[
    ("root", "the path of a folder", |all, value| text(value).map(|it| all.root = Some(it))),
    ("part_size", BYTES, |all, value| bytes(value).map(|it| all.part_size_bytes = Some(it))),
    ("connections", "a number from 1 to 1024", |all, value| {
        let number = count(value).filter(|number| *number <= CONNECTIONS_MAX);
        number.map(|it| all.connections = Some(it))
    }),
];

/// A change by a value that could be read.
fn on<T>(value: Option<T>, set: fn(&mut S3Config, T)) -> Option<Change>
where
    T: Clone + Send + Sync + 'static,
{
    let value = value?;
    Some(Arc::new(move |s3| set(s3, value.clone())))
}

/// What some bucket could be found at.
fn resolves(options: EndpointOptions) -> Option<EndpointOptions> {
    Endpoint::resolve_all("some-bucket", &options).is_ok().then_some(options)
}

fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn word<T: Clone, const COUNT: usize>(value: &str, known: [(&str, T); COUNT]) -> Option<T> {
    known.into_iter().find_map(|(name, means)| (name == value).then_some(means))
}

fn number(value: &str) -> Option<u32> {
    value.parse().ok().filter(|&number| number > 0)
}

fn count(value: &str) -> Option<usize> {
    number(value).map(|number| number as usize)
}

fn bytes(value: &str) -> Option<u64> {
    value.parse().ok().filter(|&number| number > 0)
}

fn head_bytes(value: &str) -> Option<usize> {
    count(value).filter(|bytes| (1 << 10..=1 << 20).contains(bytes))
}

fn seconds(value: &str) -> Option<Duration> {
    number(value).map(|number| Duration::from_secs(number.into()))
}

fn millis(value: &str) -> Option<Duration> {
    number(value).map(|number| Duration::from_millis(number.into()))
}
