//! The options of every command, and the client that they describe.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use hydrant::engine::DriverChoice;
use hydrant::{Hydrant, HydrantBuilder, TransferLimits};

use crate::exit::Failure;
use crate::log::LogLevel;
use crate::sizes;

/// Cores at most: more than any machine of today has.
const CORES_MAX: usize = 1024;

/// The options of every command.
#[derive(Debug, Args)]
pub struct Options {
    /// Cores of the engine, each a thread with a ring of its own [default: one for each CPU;
    /// 1 for bench, ls, stat, rm]
    #[arg(long, global = true, value_name = "N", value_parser = parse_cores)]
    pub cores: Option<usize>,

    /// Memory for payload, a hard limit: 16MiB and more [default: 256MiB; 64MiB for ls, stat, rm;
    /// what it takes for bench]
    #[arg(long, global = true, value_name = "SIZE", value_parser = sizes::parse_pool)]
    pub pool: Option<usize>,

    /// Who carries the I/O out; auto is io_uring, and poll where the kernel refuses that
    #[arg(long, global = true, value_enum, default_value_t)]
    pub driver: Driver,

    /// The S3 server, such as http://127.0.0.1:9000; comes before AWS_ENDPOINT_URL
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,

    /// The region to sign for; comes before AWS_REGION
    #[arg(long, global = true)]
    pub region: Option<String>,

    /// Sign nothing: public buckets, and servers without credentials
    #[arg(long, global = true)]
    pub no_sign_request: bool,

    /// What the engine tells of itself on stderr: error, warn, info, debug, trace
    #[arg(long, global = true, env = "HYDRANT_LOG", value_name = "LEVEL", value_enum)]
    pub log: Option<LogLevel>,

    /// No progress, no summary: only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// Who carries the I/O out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Driver {
    #[default]
    Auto,
    /// io_uring, or an error that says why not
    Uring,
    /// epoll for sockets, threads for files
    Poll,
}

/// How much of the machine a command is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It moves payload, within these limits: all cores, the default pool.
    Payload(TransferLimits),
    /// It is measured: one core, this pool, each core on a CPU of its own where that is asked for, and
    /// connections for so many at once.
    Bench { pool_bytes: usize, connections: usize, pin: bool },
    /// It asks one thing after another: one core (and so one connection), the smallest pool.
    Questions,
}

impl Options {
    /// Starts a client with the settings of the options and the environment.
    pub fn client(&self, weight: Weight) -> Result<Hydrant, Failure> {
        let mut builder = self.engine(Hydrant::builder()).env(self.environment());
        if self.no_sign_request {
            builder = builder.anonymous();
        }
        builder = match weight {
            Weight::Payload(limits) => builder.transfer(limits),
            Weight::Bench { pool_bytes, connections, pin } => builder
                .cores(self.cores.unwrap_or(1))
                .pool_bytes(self.pool.unwrap_or(pool_bytes))
                .engine(|config| config.pin_cores = pin)
                .s3(|s3| {
                    let most = &mut s3.http.connections_per_core_max;
                    *most = connections.max(*most);
                }),
            Weight::Questions => builder
                .cores(self.cores.unwrap_or(1))
                .pool_bytes(self.pool.unwrap_or(sizes::POOL_BYTES_SMALL)),
        };
        Ok(builder.build()?)
    }

    /// Sets the cores, the pool and the driver that were asked for.
    pub fn engine(&self, mut builder: HydrantBuilder) -> HydrantBuilder {
        if let Some(cores) = self.cores {
            builder = builder.cores(cores);
        }
        if let Some(bytes) = self.pool {
            builder = builder.pool_bytes(bytes);
        }
        builder.driver(match self.driver {
            Driver::Auto => DriverChoice::Auto,
            Driver::Uring => DriverChoice::Uring,
            Driver::Poll => DriverChoice::Poll,
        })
    }

    /// Refuses options that mean nothing to a command which is no client of a store of the user's.
    pub fn refuse_client(&self, command: &str) -> Result<(), Failure> {
        let given = [
            ("--endpoint-url", self.endpoint_url.is_some()),
            ("--region", self.region.is_some()),
            ("--no-sign-request", self.no_sign_request),
        ];
        refuse(command, &given)
    }

    /// Refuses options that mean nothing to a command without an engine.
    pub fn refuse_engine(&self, command: &str) -> Result<(), Failure> {
        let given = [
            ("--cores", self.cores.is_some()),
            ("--pool", self.pool.is_some()),
            ("--driver", self.driver != Driver::Auto),
        ];
        refuse(command, &given)
    }

    /// A line for people on stderr, unless they asked for quiet.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            // A closed stderr does not stop the work.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// The process's environment, with the options in front of it.
    fn environment(&self) -> impl Fn(&str) -> Option<String> + Send + Sync + 'static {
        let (endpoint_url, region) = (self.endpoint_url.clone(), self.region.clone());
        move |name| {
            let option = match name {
                "AWS_ENDPOINT_URL" | "AWS_ENDPOINT_URL_S3" => endpoint_url.clone(),
                "AWS_REGION" | "AWS_DEFAULT_REGION" => region.clone(),
                _ => None,
            };
            option.or_else(|| std::env::var(name).ok())
        }
    }
}

fn refuse(command: &str, given: &[(&str, bool)]) -> Result<(), Failure> {
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Failure::Usage(format!("{name} means nothing to `{command}`"))),
        None => Ok(()),
    }
}

fn parse_cores(text: &str) -> Result<usize, String> {
    let cores = text.parse::<usize>().ok().filter(|cores| (1..=CORES_MAX).contains(cores));
    cores.ok_or_else(|| format!("cores are a number from 1 to {CORES_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            cores: None,
            pool: None,
            driver: Driver::Auto,
            endpoint_url: None,
            region: None,
            no_sign_request: false,
            log: None,
            quiet: true,
        }
    }

    #[test]
    fn options_come_before_the_environment() {
        let options = Options {
            endpoint_url: Some("http://h:1".into()),
            region: Some("eu-north-1".into()),
            ..options()
        };
        let lookup = options.environment();
        assert_eq!(lookup("AWS_ENDPOINT_URL_S3").as_deref(), Some("http://h:1"));
        assert_eq!(lookup("AWS_ENDPOINT_URL").as_deref(), Some("http://h:1"));
        assert_eq!(lookup("AWS_REGION").as_deref(), Some("eu-north-1"));
        assert_eq!(lookup("PATH"), std::env::var("PATH").ok());
    }

    #[test]
    fn options_that_mean_nothing_are_refused() {
        let options = Options { no_sign_request: true, ..options() };
        assert!(options.refuse_client("demo").is_err());
        assert!(options.refuse_engine("serve").is_ok());
    }

    #[test]
    fn cores_are_a_number_of_threads() {
        assert_eq!(parse_cores("2"), Ok(2));
        for text in ["0", "-1", "1025", "all", ""] {
            assert!(parse_cores(text).is_err(), "{text}");
        }
    }
}
