//! The clients: how each is called for a row, and how a run shows that it did it.

use std::path::{Path, PathBuf};

use super::super::server::BUCKET;
use super::super::variant::Direction;
use super::row::{PART_BYTES, Place, Row};

/// The keys that everybody signs with; the server looks at no signature.
pub const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench-secret"),
    ("AWS_REGION", "us-east-1"),
];

/// A client that is there.
pub struct Peer {
    pub name: &'static str,
    pub version: String,
    pub face: Face,
}

/// How it is spoken to.
pub enum Face {
    /// A program of `benches/pipelines`, with what comes before its options.
    Job(Vec<String>),
    S5cmd(PathBuf),
    AwsCli(PathBuf),
    Rclone,
    Curl,
}

/// One run.
#[derive(Debug, PartialEq)]
pub struct Call {
    pub command: Vec<String>,
    pub evidence: Evidence,
}

/// What shows that a run did all of it, beside a status of 0.
#[derive(Debug, PartialEq)]
pub enum Evidence {
    /// A line of the program.
    Says(String),
    /// So many bytes beneath this path.
    Files(PathBuf, u64),
    /// Nothing: what came was thrown away, or the server does not tell parts from a whole.
    Status,
}

impl Peer {
    /// curl signs nothing and has one connection to an object: it is shown and compared with
    /// nobody.
    pub fn is_baseline(&self) -> bool {
        matches!(self.face, Face::Curl)
    }

    /// The command for a row; `None` where the client has no such thing.
    pub fn call(&self, row: Row, place: &Place) -> Option<Call> {
        let command = match &self.face {
            Face::Job(program) => job(program, row, place),
            Face::S5cmd(program) => s5cmd(program, row, place)?,
            Face::AwsCli(program) => aws(program, row, place)?,
            Face::Rclone => rclone(row, place)?,
            Face::Curl => curl(row, place)?,
        };
        Some(Call { command, evidence: self.evidence(row, place) })
    }

    fn evidence(&self, row: Row, place: &Place) -> Evidence {
        if let Face::Job(_) = self.face {
            return Evidence::Says(format!("\"bytes\":{},", row.total_bytes()));
        }
        let bytes = row.total_bytes();
        match (row.direction(), row.set()) {
            (Direction::Put, Some(_)) => Evidence::Files(place.bucket.join(row.key()), bytes),
            (Direction::Get, Some(_)) if !self.is_baseline() => {
                Evidence::Files(place.downloads.clone(), bytes)
            }
            (Direction::Get, None) if row.disk().is_some() => {
                Evidence::Files(place.file.clone(), bytes)
            }
            _ => Evidence::Status,
        }
    }
}

/// What all of them find in their environment.
pub fn environment(row: Row, place: &Place, aws_config: &Path) -> Vec<(&'static str, String)> {
    let endpoint = place.endpoint(row);
    let said = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"),
        ("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("RCLONE_CONFIG", "/dev/null"),
        ("RCLONE_CONFIG_BENCH_TYPE", "s3"),
        ("RCLONE_CONFIG_BENCH_PROVIDER", "Other"),
        ("RCLONE_CONFIG_BENCH_ENV_AUTH", "true"),
        ("RCLONE_CONFIG_BENCH_ENDPOINT", endpoint.as_str()),
    ];
    let own = |(name, value): (&'static str, &str)| (name, value.to_owned());
    let config = ("AWS_CONFIG_FILE", aws_config.display().to_string());
    let trusted = row.is_tls().then(|| ("SSL_CERT_FILE", place.authority.display().to_string()));
    KEYS.into_iter().chain(said).map(own).chain([config]).chain(trusted).collect()
}

/// The settings that aws-cli takes from a file alone.
pub fn aws_config(place: &Place) -> String {
    let requests = place.connections;
    format!(
        "[default]\nregion = us-east-1\ns3 =\n  max_concurrent_requests = {requests}\n  \
         multipart_threshold = {PART_BYTES}\n  multipart_chunksize = {PART_BYTES}\n  \
         addressing_style = path\n  payload_signing_enabled = false\n"
    )
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|&word| word.to_owned()).collect()
}

/// The same process, with what it prints thrown away.
fn discarding(command: Vec<String>) -> Vec<String> {
    let mut all = words(&["sh", "-c", "exec \"$0\" \"$@\" > /dev/null"]);
    all.extend(command);
    all
}

fn job(program: &[String], row: Row, place: &Place) -> Vec<String> {
    let mut command = program.to_vec();
    command.extend([
        row.work().to_owned(),
        format!("--endpoint={}", place.endpoint(row)),
        format!("--bucket={BUCKET}"),
        format!("--key={}", row.key()),
        format!("--objects={}", row.objects()),
        format!("--bytes={}", row.object_bytes()),
        format!("--part-bytes={PART_BYTES}"),
        format!("--connections={}", place.connections),
    ]);
    command.extend(row.disk().map(|_| format!("--file={}", place.file.display())));
    command
}

fn s5cmd(program: &Path, row: Row, place: &Place) -> Option<Vec<String>> {
    let mut command = vec![program.display().to_string()];
    let (connections, part_mib) = (place.connections.to_string(), (PART_BYTES >> 20).to_string());
    command.extend(words(&["--log=error", "--endpoint-url", &place.endpoint(row)]));
    command.extend(words(&["--numworkers", &connections]));
    let parts = ["--concurrency", &connections, "--part-size", &part_mib];
    let (source, target) = (place.source(row), place.target(row));
    let (source, target) = (source.display(), target.display());
    let (own, theirs) = match row {
        Row::GetBuffer => return None,
        Row::GetStream | Row::GetStreamTls => ("cat", vec![place.uri(row.key())]),
        Row::GetFile | Row::GetFile4g => ("cp", vec![place.uri(row.key()), target.to_string()]),
        Row::PutFile | Row::PutFile4g => ("cp", vec![target.to_string(), place.uri(row.key())]),
        Row::PutMemory => ("cp", vec![source.to_string(), place.uri(row.key())]),
        Row::Get4k | Row::Get1m => {
            ("cp", vec![place.uri(&format!("{}/*", row.key())), format!("{target}/")])
        }
        Row::Put4k | Row::Put1m => {
            ("cp", vec![format!("{source}/*"), place.uri(&format!("{}/", row.key()))])
        }
    };
    command.push(own.to_owned());
    command.extend(words(&parts));
    command.extend(theirs);
    Some(if own == "cat" { discarding(command) } else { command })
}

fn aws(program: &Path, row: Row, place: &Place) -> Option<Vec<String>> {
    let (source, target) = (place.source(row), place.target(row));
    let (source, target) = (source.display().to_string(), target.display().to_string());
    let theirs = match row {
        Row::GetBuffer => return None,
        Row::GetStream | Row::GetStreamTls => vec![place.uri(row.key()), "-".to_owned()],
        Row::GetFile | Row::GetFile4g => vec![place.uri(row.key()), target],
        Row::PutFile | Row::PutFile4g => vec![target, place.uri(row.key())],
        Row::PutMemory => vec![source, place.uri(row.key())],
        Row::Get4k | Row::Get1m => vec![place.uri(&format!("{}/", row.key())), target],
        Row::Put4k | Row::Put1m => vec![source, place.uri(&format!("{}/", row.key()))],
    };
    let mut command = vec![program.display().to_string()];
    command.extend(words(&["s3", "cp", "--no-progress", "--quiet"]));
    command.extend(row.set().map(|_| "--recursive".to_owned()));
    if row.is_tls() {
        command.extend(["--ca-bundle".to_owned(), place.authority.display().to_string()]);
    }
    let is_stream = theirs.last().is_some_and(|last| last == "-");
    command.extend(theirs);
    Some(if is_stream { discarding(command) } else { command })
}

fn rclone(row: Row, place: &Place) -> Option<Vec<String>> {
    let remote = format!("bench:{BUCKET}/{}", row.key());
    let (source, target) = (place.source(row), place.target(row));
    let (source, target) = (source.display().to_string(), target.display().to_string());
    let (own, theirs) = match row {
        Row::GetBuffer => return None,
        Row::GetStream | Row::GetStreamTls => ("cat", vec![remote]),
        Row::GetFile | Row::GetFile4g => ("copyto", vec![remote, target]),
        Row::PutFile | Row::PutFile4g => ("copyto", vec![target, remote]),
        Row::PutMemory => ("copyto", vec![source, remote]),
        Row::Get4k | Row::Get1m => ("copy", vec![remote, target]),
        Row::Put4k | Row::Put1m => ("copy", vec![source, remote]),
    };
    let connections = place.connections;
    let mut command = words(&["rclone", own, "--ignore-times", "--ignore-checksum"]);
    command.extend(words(&["--s3-no-check-bucket", "--s3-no-head", "--s3-disable-checksum"]));
    command.extend(words(&["--no-traverse", "--retries=1", "--s3-list-version=2"]));
    command.extend([
        format!("--transfers={connections}"),
        format!("--checkers={connections}"),
        format!("--multi-thread-streams={connections}"),
        format!("--multi-thread-cutoff={PART_BYTES}b"),
        format!("--s3-upload-concurrency={connections}"),
        format!("--s3-upload-cutoff={PART_BYTES}b"),
        format!("--s3-chunk-size={PART_BYTES}b"),
    ]);
    command.extend(theirs);
    Some(if own == "cat" { discarding(command) } else { command })
}

fn curl(row: Row, place: &Place) -> Option<Vec<String>> {
    let url = format!("{}/{BUCKET}/{}", place.endpoint(row), row.key());
    let mut command = words(&["curl", "-sS", "--fail"]);
    if row.is_tls() {
        // A variable of its own would win over the one that the others read.
        command.extend(["--cacert".to_owned(), place.authority.display().to_string()]);
    }
    let theirs = match row {
        Row::GetBuffer | Row::Put4k | Row::Put1m => return None,
        Row::GetStream | Row::GetStreamTls => words(&["-o", "/dev/null", &url]),
        Row::GetFile | Row::GetFile4g => words(&["-o", &place.file.display().to_string(), &url]),
        Row::PutFile | Row::PutFile4g => words(&["-T", &place.file.display().to_string(), &url]),
        Row::PutMemory => words(&["-T", &place.source(row).display().to_string(), &url]),
        Row::Get4k | Row::Get1m => {
            let most = place.connections.to_string();
            let all = format!("{url}/[00000-{:05}]", row.objects() - 1);
            words(&["--no-progress-meter", "-Z", "--parallel-max", &most, "-o", "/dev/null", &all])
        }
    };
    command.extend(theirs);
    Some(command)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn place() -> Place {
        Place {
            address: ([127, 0, 0, 1], 1).into(),
            address_of_tls: ([127, 0, 0, 1], 2).into(),
            authority: "/memory/certificate.pem".into(),
            bucket: "/memory/bucket".into(),
            downloads: "/memory/downloads".into(),
            file: "/disk/file".into(),
            connections: 8,
        }
    }

    fn peer(face: Face) -> Peer {
        Peer { name: "peer", version: String::new(), face }
    }

    #[test]
    fn programs_take_every_row_and_tell_what_they_moved() {
        let peer = peer(Face::Job(vec!["program".to_owned()]));
        for &row in Row::value_variants() {
            let call = peer.call(row, &place()).expect("every row");
            assert_eq!(call.command[..2], ["program".to_owned(), row.work().to_owned()]);
            assert!(matches!(call.evidence, Evidence::Says(_)));
        }
    }

    #[test]
    fn a_file_is_named_in_its_rows_alone() {
        for face in [Face::S5cmd("s5cmd".into()), Face::AwsCli("aws".into()), Face::Rclone] {
            let peer = peer(face);
            for &row in Row::value_variants() {
                let Some(call) = peer.call(row, &place()) else { continue };
                let has_file = call.command.iter().any(|word| word == "/disk/file");
                assert_eq!(has_file, row.disk().is_some(), "{:?}", call.command);
            }
        }
    }

    #[test]
    fn who_speaks_tls_is_told_what_to_trust() {
        let row = Row::GetStreamTls;
        let call = peer(Face::Curl).call(row, &place()).expect("curl has it");
        assert!(call.command.iter().any(|word| word.starts_with("https://127.0.0.1:2/")));
        assert!(call.command.contains(&"--cacert".to_owned()));
        let trusted = ("SSL_CERT_FILE", "/memory/certificate.pem".to_owned());
        assert!(environment(row, &place(), Path::new("x")).contains(&trusted));
        assert!(!environment(Row::GetStream, &place(), Path::new("x")).contains(&trusted));
        let call = peer(Face::AwsCli("aws".into())).call(row, &place()).expect("aws has it");
        assert!(call.command.contains(&"--ca-bundle".to_owned()));
    }

    #[test]
    fn what_goes_to_standard_output_is_thrown_away() {
        let call = peer(Face::Rclone).call(Row::GetStream, &place()).expect("rclone has cat");
        assert_eq!(call.command[..2], ["sh", "-c"]);
        assert_eq!(call.evidence, Evidence::Status);
    }
}
