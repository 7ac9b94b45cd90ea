//! The program as people run it, a server to run it against, and a folder for both.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use hydrant_server::{Config, Credentials, Server, ServerHandle};
use tempfile::TempDir;

pub const ACCESS_KEY: &str = "tester";
pub const SECRET_KEY: &str = "a-secret-of-the-tests";
const PATIENCE: Duration = Duration::from_secs(60);

/// The program without any setting of whoever runs the tests, and with a small pool.
pub fn hydrant<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hydrant"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

/// Runs it with something on stdin.
pub fn run_with_stdin(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    std::thread::scope(|scope| {
        // A program that ends early closes the pipe; what it said is looked at then.
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().expect("the program ends")
    })
}

#[track_caller]
pub fn expect_code(output: &Output, code: i32) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "stderr: {err}");
}

/// The last line on stderr, which says what failed.
pub fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

pub fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(status.expect("a shell").success());
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Bytes that repeat nowhere near.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A server with the bucket `box`, and a folder for files.
pub struct House {
    folder: TempDir,
    pub server: ServerHandle,
}

impl House {
    pub fn new() -> House {
        House::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> House {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("box")).expect("a bucket");
        let mut config = Config::new(root);
        config.durable = false;
        config.credentials = Some(Credentials::new(ACCESS_KEY, SECRET_KEY));
        change(&mut config);
        House { server: Server::start(config).expect("a server"), folder }
    }

    /// The program as a client of the server.
    pub fn client<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Command {
        let mut command = hydrant(arguments);
        command
            .env("AWS_ENDPOINT_URL", self.server.url())
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command
    }

    /// Runs it, and expects that it succeeds.
    #[track_caller]
    pub fn done<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Output {
        let output = run(&mut self.client(arguments));
        expect_code(&output, 0);
        output
    }

    /// A file of the tests.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn path_text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// Where the server keeps an object.
    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join("root/box").join(key)
    }

    /// Uploads that were begun and neither completed nor aborted.
    pub fn uploads(&self) -> usize {
        fs::read_dir(self.folder.path().join("root/.hydrant/uploads")).map_or(0, Iterator::count)
    }
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, bytes).expect("written");
}

pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
