//! Compilers, the built library and a server for the C programs.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use hydrant_server::{Config, Credentials, Server, ServerHandle, TlsIdentity};

/// The header, the example and the tests compile without a word under these.
const STRICT: &[&str] = &["-Wall", "-Wextra", "-pedantic", "-Werror"];

/// What a program needs beside `libhydrant.a`; the header says so too.
pub const NATIVE_LIBRARIES: &[&str] =
    &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";

/// Where the static and the shared library were built.
pub struct Library {
    pub archive: PathBuf,
    pub shared: PathBuf,
}

#[derive(Clone, Copy)]
pub enum Linking {
    Static,
    Shared,
}

impl Library {
    /// The libraries of this crate, built on first use.
    pub fn get() -> &'static Library {
        static BUILT: OnceLock<Library> = OnceLock::new();
        BUILT.get_or_init(Library::build)
    }

    /// Cargo builds no library for a test that cannot link it as Rust, so it is told to; in the
    /// profile and folder of this test, where most of it lies already.
    fn build() -> Library {
        let folder = profile_folder();
        let profile = match name_of(&folder) {
            "debug" => "dev",
            other => other,
        };
        let mut target = folder.parent().expect("a folder of profiles");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(crate_path(".")).args(["build", "--quiet", "--lib"]);
        cargo.args(["--profile", profile, "--message-format=json-render-diagnostics"]);
        // `target/<profile>`, or `target/<triple>/<profile>` where a platform was named.
        if name_of(target).starts_with(&format!("{}-", std::env::consts::ARCH)) {
            cargo.args(["--target", name_of(target)]);
            target = target.parent().expect("a folder of platforms");
        }
        let built = run(cargo.env("CARGO_TARGET_DIR", target));
        let messages = String::from_utf8_lossy(&built.stdout);
        let file = |name: &str| path_in(&messages, name);
        Library { archive: file("/libhydrant.a"), shared: file("/libhydrant.so") }
    }

    /// Compiles and links one C file.
    pub fn link(&self, folder: &Folder, source: &Path, linking: Linking) -> PathBuf {
        let stem = source.file_stem().and_then(OsStr::to_str).expect("a name");
        let (suffix, library) = match linking {
            Linking::Static => ("static", &self.archive),
            Linking::Shared => ("shared", &self.shared),
        };
        let program = folder.path(&format!("{stem}-{suffix}"));
        compile("cc", "-std=c99", &[source, library], &program, NATIVE_LIBRARIES);
        program
    }

    /// A program with this library in reach, and a bucket's credentials and nothing else from AWS in
    /// its environment.
    pub fn command(&self, program: &Path, bucket: &Bucket) -> Command {
        let mut command = Command::new(program);
        let foreign = std::env::vars_os().map(|(name, _)| name);
        for name in foreign.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command
            .env("LD_LIBRARY_PATH", self.shared.parent().expect("a folder"))
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", bucket.server.url());
        command
    }
}

/// A server with one bucket.
pub struct Bucket {
    server: ServerHandle,
    folder: Folder,
}

impl Bucket {
    /// The bucket, by the environment of [`Library::command`].
    pub const URI: &str = "s3://c-programs";
    /// One that is not there.
    pub const MISSING_URI: &str = "s3://no-such-bucket";

    pub fn new() -> Bucket {
        Bucket::serve(|_| {})
    }

    /// A server that speaks TLS and shows this certificate.
    pub fn over_tls(identity: TlsIdentity) -> Bucket {
        Bucket::serve(|config| config.tls = Some(identity))
    }

    /// A server that sends and takes so many bytes a second.
    pub fn slow(bytes_per_second: u64) -> Bucket {
        Bucket::serve(|config| config.throttle_bytes_per_second = Some(bytes_per_second))
    }

    /// One with an object, "slow", that takes minutes to come.
    pub fn with_slow_object() -> Bucket {
        let bucket = Bucket::slow(20_000);
        std::fs::write(bucket.path("slow"), vec![7; 8 << 20]).expect("write the object");
        bucket
    }

    /// Where the server is.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The bucket, by the address of its server.
    pub fn uri_with_host(&self) -> String {
        format!("s3://{}/c-programs", self.server.addr())
    }

    /// Where the bytes of a key are.
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.path("c-programs").join(key)
    }

    fn serve(change: impl FnOnce(&mut Config)) -> Bucket {
        let folder = Folder::new();
        std::fs::create_dir(folder.path("c-programs")).expect("make the bucket");
        let mut config = Config {
            credentials: Some(Credentials::new(ACCESS_KEY, SECRET)),
            durable: false,
            ..Config::new(folder.path("."))
        };
        change(&mut config);
        Bucket { server: Server::start(config).expect("start the server"), folder }
    }
}

/// A folder that goes when the test ends.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("make a folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("write a source");
        path
    }
}

/// Compiles by a standard; a complaint of the compiler fails the test.
pub fn compile(compiler: &str, standard: &str, inputs: &[&Path], output: &Path, rest: &[&str]) {
    let mut command = Command::new(compiler);
    command.arg(standard).args(STRICT).arg("-g").arg("-I").arg(crate_path("include"));
    run(command.args(inputs).arg("-o").arg(output).args(rest));
}

/// Runs a program that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output
}

/// A file of this crate.
pub fn crate_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names that a library defines.
pub fn symbols(flags: &[&str], library: &Path) -> BTreeSet<String> {
    let listed = run(Command::new("nm").args(flags).arg("--format=just-symbols").arg(library));
    String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
}

/// The functions that the header declares.
pub fn functions_of_the_header() -> BTreeSet<String> {
    functions_of(&std::fs::read_to_string(crate_path("include/hydrant.h")).expect("the header"))
}

/// A header without its comments.
pub fn code_of(header: &str) -> String {
    header.split("/*").map(|piece| piece.split_once("*/").map_or(piece, |split| split.1)).collect()
}

/// The functions that a header declares: each `hyd_` word before a parenthesis, outside comments.
pub fn functions_of(header: &str) -> BTreeSet<String> {
    let code = code_of(header);
    let calls = code.match_indices('(').filter_map(|(at, _)| {
        let word = code[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        word.filter(|word| word.starts_with("hyd_"))
    });
    calls.map(str::to_owned).collect()
}

/// The folder of this profile, in which the executable of the test lies in `deps`.
fn profile_folder() -> PathBuf {
    let executable = std::env::current_exe().expect("the path of this test");
    executable.parent().and_then(Path::parent).expect("deps in a profile").to_owned()
}

fn name_of(folder: &Path) -> &str {
    folder.file_name().and_then(OsStr::to_str).expect("a folder with a name")
}

/// The path in cargo's messages that ends so; JSON escapes nothing in paths of Unix but quotes.
fn path_in(messages: &str, ending: &str) -> PathBuf {
    let path = messages.split('"').find(|text| text.starts_with('/') && text.ends_with(ending));
    PathBuf::from(path.unwrap_or_else(|| panic!("cargo built no {ending}:\n{messages}")))
}
