//! Servers of another make: moto, from the package index of Python, s3rver, from that of Node, and
//! Garage, which takes long to build and is asked for by its own command.
//!
//! What they do in ways of their own stands with each of them, and is tested too, so that it is noticed
//! when it ends. Where one is not there, the test says so and why.
//!
//! - [`known`]: what is each server's own;
//! - [`steps`], [`versions`]: what all of them are asked for;
//! - [`garage`]: how that one is started.

mod garage;
mod known;
mod steps;
mod versions;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use hydrant::s3::credentials::{Credentials, Identity};
use hydrant::s3::endpoint::REGION_DEFAULT;
use hydrant::s3::{CreateBucket, HeadBucket};
use hydrant::{Hydrant, HydrantBuilder};
use hydrant_engine::testing::not_tested;
use hydrant_tests::{BUCKET, client_with};
use tempfile::TempDir;

use crate::installed::{node_modules_with, python_with};
use known::{Known, MOTO, S3RVER};

/// A server that runs, until it is dropped or this process ends.
struct Other {
    child: Child,
    port: u16,
    /// What it keeps on disk.
    _folder: TempDir,
    /// Key and secret that it knows.
    keys: (String, String),
    known: Known,
}

#[test]
fn moto_and_hydrant() {
    let packages = ["boto3", "moto[s3]==5.2.5", "flask", "flask-cors"];
    let started = python_with("moto.server, flask_cors", &packages).map(|python| {
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/other_servers/moto_server.py"));
        Other::start(command, MOTO)
    });
    with("moto", started);
}

#[test]
fn s3rver_and_hydrant() {
    let started = node_modules_with("s3rver", "3.7.1").map(|modules| {
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/other_servers/s3rver_server.js"));
        command.env("NODE_PATH", modules);
        Other::start(command, S3RVER)
    });
    with("s3rver", started);
}

fn with(name: &str, started: Result<Other, String>) {
    let server = match started {
        Ok(server) => server,
        Err(reason) => return not_tested(format_args!("{name}, which is not here: {reason}")),
    };
    let hydrant = server.client(|builder| builder);
    let client = hydrant.s3(BUCKET).expect("a bucket");
    client.send(CreateBucket::default()).wait().expect("created");
    client.send(HeadBucket::default()).wait().expect("there");
    if server.known.region != REGION_DEFAULT {
        server.its_region_is_learnt();
    }
    server.objects_of_any_size_come_back(&hydrant);
    server.odd_keys_survive(&hydrant);
    server.listings_have_pages_and_folders(&hydrant);
    server.what_is_copied_by_the_server_is_the_same(&hydrant);
    server.uploads_are_completed_or_leave_nothing(&hydrant);
    server.checksums_behind_the_body();
    if server.known.keeps_versions {
        server.tags_and_attributes_are_told(&client);
        server.versions_are_kept(&client.with_bucket("versioned").expect("a name"));
    }
    server.what_is_deleted_is_gone(&client);
}

impl Other {
    /// Starts it; it says its port first, and ends with its input.
    fn start(mut command: Command, known: Known) -> Other {
        let folder = tempfile::tempdir().expect("a folder");
        command.arg(folder.path()).env_remove("AWS_PROFILE");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("a port");
        // moto takes any pair.
        let keys = ("S3RVER".to_owned(), "S3RVER".to_owned());
        Other { child, port, _folder: folder, keys, known }
    }

    fn client(&self, change: impl FnOnce(HydrantBuilder) -> HydrantBuilder) -> Hydrant {
        let keys = Credentials::new(&self.keys.0, &self.keys.1, None, None).expect("keys");
        client_with(&format!("http://127.0.0.1:{}", self.port), |builder| {
            change(builder.s3(|s3| {
                s3.identity = Some(Identity::Keys(keys));
                s3.endpoint.region = Some(self.known.region.to_owned());
            }))
        })
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
