//! `hydrant serve`: an S3 server on a directory, until it is told to stop.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hydrant_server::{Config, Credentials, ServerError, TlsIdentity, run_until_signal};

use crate::exit::Failure;
use crate::options::Options;
use crate::sizes;

/// Serve a directory as an S3 server
///
/// A directory right under DIR is a bucket, and the files in it are its objects, so that
/// s3://photos/2026/a.jpg is DIR/photos/2026/a.jpg. SIGINT and SIGTERM stop it: running requests
/// may end. Without keys everybody who reaches it may do everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mkdir -p ./data/photos && hydrant serve ./data
  AWS_ENDPOINT_URL=http://127.0.0.1:9000 hydrant --no-sign-request ls s3://photos
  AWS_ACCESS_KEY_ID=me AWS_SECRET_ACCESS_KEY=... hydrant serve ./data --listen 0.0.0.0:9000

AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are read: a secret on the command line can be seen by
everybody on the machine.")]
pub struct Args {
    /// The directory; it is made when it is missing
    #[arg(value_name = "DIR")]
    root: PathBuf,

    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,

    /// The key that requests must be signed with
    #[arg(long, value_name = "KEY", env = "AWS_ACCESS_KEY_ID", hide_env_values = true)]
    access_key: Option<String>,

    /// Its secret
    #[arg(long, value_name = "SECRET", env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    secret_key: Option<String>,

    /// Speak TLS with this certificate: a PEM file with the chain, the server's own first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The key of that certificate: a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Stop when stdin ends
    #[arg(long, hide = true)]
    stop_on_stdin_eof: bool,

    /// Print the URL as the first line on stdout
    #[arg(long, hide = true)]
    print_url: bool,

    /// Bytes a second of each connection, each way
    #[arg(long, hide = true, value_name = "BYTES_PER_S", value_parser = sizes::parse)]
    throttle: Option<u64>,
}

/// Runs it.
pub fn run(args: Args, options: &Options) -> Result<(), Failure> {
    options.refuse_client("serve")?;
    options.refuse_engine("serve")?;
    let credentials = credentials(args.access_key, args.secret_key)?;
    let signed = credentials.is_some();
    let mut config = Config::new(&args.root);
    config.listen = args.listen;
    config.credentials = credentials;
    config.stop_on_stdin_eof = args.stop_on_stdin_eof;
    config.throttle_bytes_per_second = args.throttle;
    config.tls = identity(args.tls_cert.as_deref(), args.tls_key.as_deref())?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mut printed = Ok(());
    let served = run_until_signal(config, |addr| {
        let url = format!("{scheme}://{addr}");
        announce(options, &args.root, &url, signed);
        if !signed && !addr.ip().is_loopback() {
            options.say("everybody who reaches it may read and write: there are no keys");
        }
        if args.print_url {
            printed = print_url(&url);
        }
    });
    served.map_err(failure)?;
    printed
}

/// Both or none; an empty variable counts as unset.
fn credentials(
    key: Option<String>,
    secret: Option<String>,
) -> Result<Option<Credentials>, Failure> {
    let given = |value: Option<String>| value.filter(|value| !value.is_empty());
    match (given(key), given(secret)) {
        (Some(key), Some(secret)) => Ok(Some(Credentials::new(key, secret))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(half("an access key", "a secret (AWS_SECRET_ACCESS_KEY)")),
        (None, Some(_)) => Err(half("a secret", "an access key (AWS_ACCESS_KEY_ID)")),
    }
}

fn half(set: &str, missing: &str) -> Failure {
    Failure::Config(format!("{set} is set but not {missing}: set both, or none"))
}

/// The command line asks for both files or none.
fn identity(chain: Option<&Path>, key: Option<&Path>) -> Result<Option<TlsIdentity>, Failure> {
    let (Some(chain), Some(key)) = (chain, key) else { return Ok(None) };
    let read = |path: &Path| {
        let failed = |error| Failure::Config(format!("cannot read {}: {error}", path.display()));
        fs::read(path).map_err(failed)
    };
    Ok(Some(TlsIdentity::new(read(chain)?, read(key)?)))
}

fn announce(options: &Options, root: &Path, url: &str, signed: bool) {
    options.say(&format!("serving {} at {url}; Ctrl-C stops it", root.display()));
    let sign = if signed { "" } else { " --no-sign-request" };
    match first_bucket(root) {
        Some(bucket) => {
            options.say(&format!("try: AWS_ENDPOINT_URL={url} hydrant{sign} ls s3://{bucket}"));
        }
        None => {
            let bucket = root.join("BUCKET");
            options.say(&format!(
                "try: mkdir {} && AWS_ENDPOINT_URL={url} hydrant{sign} ls s3://BUCKET",
                bucket.display()
            ));
        }
    }
}

fn first_bucket(root: &Path) -> Option<String> {
    let folders = fs::read_dir(root).ok()?.flatten().filter(|entry| entry.path().is_dir());
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).min()
}

fn print_url(url: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    writeln!(out, "{url}").and_then(|()| out.flush()).map_err(Failure::stdout)
}

fn failure(error: ServerError) -> Failure {
    let text = error.to_string();
    match error {
        ServerError::Runtime { source, .. } => Failure::local("serve")(source),
        ServerError::Root { .. }
        | ServerError::InUse { .. }
        | ServerError::Identity { .. }
        | ServerError::Listen { .. } => Failure::Config(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_as_a_pair() {
        let text = |text: &str| Some(text.to_owned());
        assert!(credentials(text("k"), text("s")).is_ok_and(|keys| keys.is_some()));
        assert!(credentials(None, text("")).is_ok_and(|keys| keys.is_none()));
        assert!(credentials(text("k"), None).is_err());
        let failure = credentials(None, text("hunter2")).expect_err("half a pair");
        assert!(!failure.to_string().contains("hunter2"));
    }
}
