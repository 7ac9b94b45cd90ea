//! What the engine tells of itself, on stderr.

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;

/// How much is told: what is named and all that is graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Panics
    Error,
    /// And what stalled, or could not be tidied up
    Warn,
    /// And what the kernel refused
    Info,
    /// And what starts, ends, connects and waits
    Debug,
    /// And whatever else there is
    Trace,
}

/// Writes the events of this process to stderr from here on.
pub fn to_stderr(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}
