//! A folder, a server on it, and clients.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hydrant::{GetOptions, Hydrant, HydrantBuilder, Location, TransferLimits};
use hydrant_server::{Config, Credentials, Server, ServerHandle};
use tempfile::TempDir;

/// The bucket that every server has.
pub const BUCKET: &str = "bucket";

/// Bytes of a part: the smallest that S3 takes, so that several parts are soon written.
pub const PART: usize = 5 << 20;

const ACCESS_KEY: &str = "tester";
const SECRET_KEY: &str = "a-secret-of-the-tests";

/// How long something that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a folder of its own, and room for files. All of it ends with the value.
#[derive(Debug)]
pub struct World {
    server: ServerHandle,
    folder: TempDir,
}

impl World {
    /// A server that answers at full speed.
    pub fn new() -> World {
        World::with(tempfile::tempdir().expect("a folder"), |_| {})
    }

    /// A server in `folder` with changed settings.
    pub fn with(folder: TempDir, change: impl FnOnce(&mut Config)) -> World {
        let root = folder.path().join("srv");
        std::fs::create_dir_all(root.join(BUCKET)).expect("a bucket");
        std::fs::create_dir_all(folder.path().join("files")).expect("a folder for files");
        let mut config = Config::new(root);
        config.durable = false;
        config.credentials = Some(Credentials::new(ACCESS_KEY, SECRET_KEY));
        change(&mut config);
        World { server: Server::start(config).expect("a server"), folder }
    }

    /// The server.
    pub fn server(&self) -> &ServerHandle {
        &self.server
    }

    /// The environment of a client of this server.
    pub fn env(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.server.url()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.into()),
            ("AWS_REGION", "us-east-1".into()),
            ("XDG_STATE_HOME", self.folder.path().join("state").display().to_string()),
        ]
    }

    /// A client with parts of [`PART`] bytes.
    pub fn client(&self) -> Hydrant {
        self.client_with(|builder| builder)
    }

    /// The same with changed settings.
    pub fn client_with(&self, change: impl FnOnce(HydrantBuilder) -> HydrantBuilder) -> Hydrant {
        let env = self.env();
        let lookup = move |name: &str| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        change(defaults().env(lookup)).build().expect("a client")
    }

    /// The path of a file for a test.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("files").join(name)
    }

    /// The URI of an object or file in a store of this world.
    pub fn uri(&self, scheme: &str, name: &str) -> String {
        match scheme {
            "s3" => format!("s3://{BUCKET}/{name}"),
            "mem" => format!("mem://{BUCKET}/{name}"),
            path => format!("{path}://{}", self.file(name).display()),
        }
    }

    /// Where an object lies on the server's disk.
    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join("srv").join(BUCKET).join(key)
    }

    /// Uploads that were begun and neither completed nor aborted.
    pub fn uploads(&self) -> usize {
        count(self.folder.path().join("srv/.hydrant/uploads"))
    }

    /// The journals of uploads that were kept.
    pub fn journals(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("state/hydrant/uploads"));
        let paths = entries.into_iter().flatten().map(|entry| entry.expect("an entry").path());
        paths.collect()
    }

    /// Names in the folder for files, temporary ones included.
    pub fn files(&self) -> usize {
        count(self.folder.path().join("files"))
    }
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

fn count(folder: PathBuf) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

/// A client without credentials of the server at `url`, which does not wait long between tries.
pub fn client(url: &str) -> Hydrant {
    client_with(url, |builder| builder)
}

/// The same with changed settings.
pub fn client_with(url: &str, change: impl FnOnce(HydrantBuilder) -> HydrantBuilder) -> Hydrant {
    let url = url.to_owned();
    let lookup = move |name: &str| (name == "AWS_ENDPOINT_URL").then(|| url.clone());
    change(defaults().env(lookup).anonymous()).build().expect("a client")
}

fn defaults() -> HydrantBuilder {
    Hydrant::builder()
        .cores(2)
        .pool_bytes(96 << 20)
        .transfer(TransferLimits::default().with(Some(PART as u64), None))
        .s3(|s3| {
            s3.retry.base = Duration::from_millis(2);
            s3.retry.base_throttled = Duration::from_millis(2);
            // No connection is made anew because a test was slow.
            s3.http.idle = Duration::from_secs(3600);
        })
}

/// Streams a whole object.
///
/// # Errors
/// Those of the stream.
pub fn read_all(at: &Location) -> hydrant::Result<Vec<u8>> {
    let mut stream = at.store.get(&at.key, GetOptions::default())?;
    let mut all = Vec::new();
    while let Some(piece) = stream.next_wait() {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

/// Waits until something is so that must become so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
