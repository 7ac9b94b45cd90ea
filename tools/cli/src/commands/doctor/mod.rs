//! `hydrant doctor`: what this machine grants and refuses, and what is done instead (FALL-1).

mod advice;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use hydrant::TransferLimits;
use hydrant::engine::{ArenaBacking, Capabilities, Direct, Engine, Feature, FeatureState};

use crate::exit::Failure;
use crate::human;
use crate::options::{Driver, Options, Weight};
use crate::probe;

/// Show what this machine grants and refuses: kernel, io_uring, memory, O_DIRECT
///
/// Where something is refused the reason is shown, and the work is done another way. Without
/// io_uring that is the poll driver; `--driver uring` makes it an error with exit code 3.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hydrant doctor
  hydrant doctor /data /scratch            what the file systems there say to O_DIRECT
  hydrant doctor --pool 1GiB --cores 8     with the settings of a later run")]
pub struct Args {
    /// Directories whose file systems are asked about O_DIRECT; each gets a file for a moment
    #[arg(value_name = "DIR", default_value = ".")]
    dirs: Vec<PathBuf>,
}

/// Runs it.
pub async fn run(args: Args, options: &Options) -> Result<(), Failure> {
    options.refuse_client("doctor")?;
    let mut report = Report::default();
    report.row("hydrant", env!("CARGO_PKG_VERSION"));
    report.row("machine", &format!("{}, {}", std::env::consts::ARCH, cpus()));
    report.row("kernel", &first_line("/proc/sys/kernel/osrelease"));
    report.row("io_uring_disabled", &first_line("/proc/sys/kernel/io_uring_disabled"));
    report.row("seccomp", seccomp().1);
    report.row("huge pages", &huge_pages());
    report.row("transparent huge", &first_line("/sys/kernel/mm/transparent_hugepage/enabled"));
    // What the machine says of itself is shown even where the engine cannot start on it.
    report.print()?;
    let client = options.client(Weight::Payload(TransferLimits::default()))?;
    let engine = client.engine();
    let mut report = Report::default();
    report.granted(engine.capabilities());
    report.row("cores", &engine.cores().to_string());
    let mut refusing = Vec::new();
    for dir in args.dirs {
        let direct = probe::direct_io(engine, &dir).await;
        let limits = match &direct {
            Ok(direct) => probe::spell(*direct),
            Err(failure) => format!("unknown: {failure}"),
        };
        report.row("O_DIRECT", &format!("in {}: {limits}", dir.display()));
        if matches!(direct, Ok(Direct::Refused)) {
            refusing.push(dir);
        }
    }
    report.features(engine.capabilities());
    report.advice(&found(engine, refusing, options));
    report.print()
}

/// What advice can be given on.
fn found(engine: &Engine, refusing: Vec<PathBuf>, options: &Options) -> advice::Found {
    let capabilities = engine.capabilities();
    let refused = |feature: &Feature| match &feature.state {
        FeatureState::Refused(why) => Some((feature.name, why.clone())),
        FeatureState::Granted => None,
    };
    let mut refused: Vec<_> = capabilities.features.iter().filter_map(refused).collect();
    let ring = refused.iter().position(|(name, _)| *name == "io_uring");
    let ring_refused = ring.map(|at| refused.swap_remove(at).1);
    if capabilities.driver != "io_uring" {
        refused.retain(|(name, _)| matches!(*name, "openat2" | "pinned core"));
    }
    advice::Found {
        ring_refused: ring_refused.filter(|_| options.driver == Driver::Auto),
        kernel: capabilities.kernel.clone(),
        refused,
        io_uring_disabled: first_line("/proc/sys/kernel/io_uring_disabled"),
        seccomp: seccomp().0,
        registered: capabilities.buffers_registered(),
        memlock_limit_bytes: capabilities.memlock_limit_bytes,
        arena: capabilities.arena,
        pool_bytes: engine.pool().stats().total_bytes as u64,
        refusing,
    }
}

/// Lines of a name and a value.
#[derive(Debug, Default)]
struct Report(String);

impl Report {
    fn row(&mut self, name: &str, value: &str) {
        writeln!(self.0, "{name:18} {value}").expect("a string takes all");
    }

    fn granted(&mut self, found: &Capabilities) {
        self.row("driver", found.driver);
        let limit = found.memlock_limit_bytes.map_or("unlimited".to_owned(), human::size);
        self.row("locked memory", &format!("{limit} (ulimit -l)"));
        self.row("arena", arena(found.arena));
        let registered = if found.buffers_registered() { "yes" } else { "no, see below" };
        self.row("registered memory", registered);
    }

    fn features(&mut self, found: &Capabilities) {
        self.0.push_str("features\n");
        for feature in &found.features {
            let line = match &feature.state {
                FeatureState::Granted => format!("  granted  {}", feature.name),
                FeatureState::Refused(why) => format!("  refused  {}: {why}", feature.name),
            };
            writeln!(self.0, "{line}").expect("a string takes all");
        }
    }

    fn advice(&mut self, found: &advice::Found) {
        for advice in advice::advice(found) {
            self.row("could be faster", &advice.cause);
            self.row("", &advice.mend);
        }
    }

    fn print(self) -> Result<(), Failure> {
        io::stdout().write_all(self.0.as_bytes()).map_err(Failure::stdout)
    }
}

fn arena(backing: ArenaBacking) -> &'static str {
    match backing {
        ArenaBacking::HugeTlb => "pages of 2 MiB set aside (vm.nr_hugepages)",
        ArenaBacking::TransparentHuge => "transparent huge pages of 2 MiB",
        ArenaBacking::Small => "pages of 4 KiB",
    }
}

/// Whether a filter of system calls is in force, and in words (proc(5), `Seccomp`).
fn seccomp() -> (bool, &'static str) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim);
    match mode {
        Some("0") => (false, "no filter"),
        Some("1") => (true, "strict"),
        Some("2") => (true, "a filter of system calls is in force"),
        _ => (false, "unknown"),
    }
}

fn cpus() -> String {
    match std::thread::available_parallelism() {
        Ok(cpus) => format!("{cpus} CPUs for this process"),
        Err(error) => format!("number of CPUs unknown: {error}"),
    }
}

/// From /proc/meminfo, which counts the pages of the default size.
fn huge_pages() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("?", str::trim).to_owned()
    };
    format!(
        "{} set aside, {} free, {} each",
        field("HugePages_Total:"),
        field("HugePages_Free:"),
        field("Hugepagesize:")
    )
}

fn first_line(path: &str) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text.lines().next().unwrap_or_default().to_owned(),
        Err(error) => format!("{path} cannot be read: {error}"),
    }
}
