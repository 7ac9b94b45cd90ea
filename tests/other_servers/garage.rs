//! Garage, one node of it. `cargo xtask garage` installs and names it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::known::GARAGE;
use super::{Other, with};

/// The variable that names the program.
const PROGRAM: &str = "HYDRANT_GARAGE";

/// How long it may take to make its tables and listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// In the form that it takes: `GK` and 24 digits, 64 digits.
const KEY: &str = "GK0123456789abcdef01234567";
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
#[ignore = "it takes a garage, which HYDRANT_GARAGE names: cargo xtask garage"]
fn garage_and_hydrant() {
    let program = std::env::var_os(PROGRAM).filter(|name| !name.is_empty());
    let started = program.ok_or_else(|| format!("{PROGRAM} names no program"));
    with("garage", started.map(|program| start(&PathBuf::from(program))));
}

fn start(program: &Path) -> Other {
    let folder = tempfile::tempdir().expect("a folder");
    let (port, config) = (free_port(), folder.path().join("garage.toml"));
    std::fs::write(&config, configuration(folder.path(), port)).expect("its settings");
    let log = folder.path().join("log");
    // It reads no input whose end could end it: the kernel ends it when this thread does.
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .arg(program)
        .arg("-c")
        .arg(config)
        .args(["server", "--single-node", "--default-access-key"])
        .env("GARAGE_DEFAULT_ACCESS_KEY", KEY)
        .env("GARAGE_DEFAULT_SECRET_KEY", SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).expect("a file"))
        .spawn()
        .expect("setpriv starts it");
    wait_until_up(&mut child, port, &log);
    let keys = (KEY.to_owned(), SECRET.to_owned());
    Other { child, port, _folder: folder, keys, known: GARAGE }
}

/// The node has to have an address for others, of which there are none.
fn configuration(folder: &Path, port: u16) -> String {
    let (folder, among_nodes) = (folder.display(), free_port());
    let (secret, region) = (SECRET, GARAGE.region);
    format!(
        r#"metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{among_nodes}"
rpc_public_addr = "127.0.0.1:{among_nodes}"
rpc_secret = "{secret}"

[s3_api]
s3_region = "{region}"
api_bind_addr = "127.0.0.1:{port}"
"#
    )
}

fn wait_until_up(child: &mut Child, port: u16, log: &Path) {
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let ended = child.try_wait().expect("it is ours").is_some();
        if ended || start.elapsed() > PATIENCE {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            panic!("garage does not listen; it said:\n{said}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One that was free a moment ago: it takes no 0 for any.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}
