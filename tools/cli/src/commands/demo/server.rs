//! The demo's S3 server: this program, as a process of its own, which ends when its stdin does, and
//! so whenever the demo ends, however that comes about.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::data::random_text;
use crate::exit::Failure;

/// The bucket that it has from the start.
pub const BUCKET: &str = "demo";

/// How long it may take to end before it is ended.
const STOP_LIMIT: Duration = Duration::from_secs(6);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A running server. Dropping it stops it and waits for its end.
pub struct Server {
    child: Child,
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
        let program = std::env::current_exe().map_err(Failure::local("find this program"))?;
        let child = Command::new(program)
            .arg("serve")
            .arg(root)
            .args(["--listen", "127.0.0.1:0", "--stop-on-stdin-eof", "--print-url", "--quiet"])
            .env("AWS_ACCESS_KEY_ID", &access_key)
            .env("AWS_SECRET_ACCESS_KEY", &secret_key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the demo, which still needs the server to abort its upload.
            .process_group(0)
            .spawn()
            .map_err(Failure::local("start the server"))?;
        let url = String::new();
        let mut server = Server { child, root: root.to_owned(), url, access_key, secret_key };
        server.url = server.read_url()?;
        Ok(server)
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

    /// The first line of its stdout; at the end of stdout it has ended and told stderr why.
    fn read_url(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if let Some(out) = self.child.stdout.take() {
            let read = BufReader::new(out).read_line(&mut line);
            read.map_err(Failure::local("read the address of the server"))?;
        }
        match line.trim_end() {
            "" => Err(Failure::Short("the server did not start".to_owned())),
            url => Ok(url.to_owned()),
        }
    }

    fn stop(&mut self) -> io::Result<()> {
        drop(self.child.stdin.take());
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > STOP_LIMIT {
                self.child.kill()?;
                self.child.wait()?;
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It cannot be waited for only when it is gone already.
        let _ = self.stop();
    }
}
