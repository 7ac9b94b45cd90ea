//! The demo's S3 server, on a directory and with keys of its own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Failure;
use crate::helper::Helper;
use crate::random::random_text;

/// The bucket that it has from the start.
pub const BUCKET: &str = "demo";

/// A running server. Dropping it stops it and waits for its end.
pub struct Server {
    _helper: Helper,
    root: PathBuf,
    url: String,
    access_key: String,
    secret_key: String,
}

impl Server {
    /// Starts one on a new directory.
    pub fn start(root: &Path) -> Result<Server, Failure> {
        fs::create_dir_all(root.join(BUCKET)).map_err(Failure::local("make the bucket"))?;
        let (access_key, secret_key) = (random_text(8)?, random_text(20)?);
        let (helper, url) = Helper::start("the server", |command| {
            command
                .arg("serve")
                .arg(root)
                .args(["--listen", "127.0.0.1:0", "--stop-on-stdin-eof", "--print-url", "--quiet"])
                .env("AWS_ACCESS_KEY_ID", &access_key)
                .env("AWS_SECRET_ACCESS_KEY", &secret_key);
        })?;
        Ok(Server { _helper: helper, root: root.to_owned(), url, access_key, secret_key })
    }

    /// Where the bytes of an object lie.
    pub fn path_of(&self, key: &str) -> PathBuf {
        self.root.join(BUCKET).join(key)
    }

    /// What a client of it finds in its environment.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_ACCESS_KEY_ID", self.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key.clone()),
        ]
    }
}
