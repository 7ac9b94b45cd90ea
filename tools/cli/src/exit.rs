//! Why a command failed, and the number that the process ends with. The numbers are a promise.

use std::fmt;
use std::io::{self, Write};

use hydrant::Class;

use crate::signals::Signal;

/// Some objects failed, or something that no other number names.
pub const OTHER: u8 = 1;
/// Wrong usage.
pub const USAGE: u8 = 2;
/// Configuration or credentials.
pub const CONFIG: u8 = 3;
/// Not found.
pub const NOT_FOUND: u8 = 4;
/// Temporary trouble, and all tries are used up.
pub const TEMPORARY: u8 = 5;
/// A length or a checksum differs.
pub const INTEGRITY: u8 = 6;
/// The local disk: full, broken, read-only.
pub const DISK: u8 = 7;
/// Cancelled, as by SIGINT.
pub const CANCELLED: u8 = 130;
/// The reader of stdout went away: what a shell reports of a program that SIGPIPE ended.
pub const READER_GONE: u8 = 141;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The arguments make no sense.
    Usage(String),
    /// A setting, or what the program was started in.
    Config(String),
    /// A call of the library.
    Store(hydrant::Error),
    /// A call of the system by the program itself.
    Local {
        /// What was being done, as in "cannot …".
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The local disk has no room.
    Disk(String),
    /// What was read back is not what was written.
    Differs(String),
    /// The work fell short of what it promises.
    Short(String),
    /// Some of several objects failed; each was reported when it did.
    Some {
        /// How many failed.
        failed: usize,
        /// Of how many.
        of: usize,
        /// The first of them, and why.
        first: String,
    },
    /// A signal ended the work.
    Signal(Signal),
    /// The reader of stdout went away: no error of anybody's, so it is not reported.
    ReaderGone,
}

impl Failure {
    /// A failed call of the system; `doing` completes "cannot …".
    pub fn local(doing: impl fmt::Display) -> impl FnOnce(io::Error) -> Failure {
        move |source| Failure::Local { doing: doing.to_string(), source }
    }

    /// A failed write to stdout.
    pub fn stdout(source: io::Error) -> Failure {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Failure::Local { doing: "write to standard output".to_owned(), source },
        }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Config(_) => CONFIG,
            Failure::Store(error) => code_of_class(error.class()),
            Failure::Local { source, .. } => code_of_io(source),
            Failure::Disk(_) => DISK,
            Failure::Differs(_) => INTEGRITY,
            Failure::Short(_) | Failure::Some { .. } => OTHER,
            Failure::Signal(signal) => signal.code(),
            Failure::ReaderGone => READER_GONE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(text) | Failure::Config(text) | Failure::Disk(text) => f.write_str(text),
            Failure::Differs(text) | Failure::Short(text) => f.write_str(text),
            Failure::Store(error) => error.fmt(f),
            Failure::Local { doing, source } => write!(f, "cannot {doing}: {source}"),
            Failure::Some { failed, of, first } => {
                write!(f, "{} done, {failed} failed; first {first}", of - failed)
            }
            Failure::Signal(signal) => write!(f, "ended by {signal}"),
            Failure::ReaderGone => f.write_str("the reader of standard output went away"),
        }
    }
}

impl From<hydrant::Error> for Failure {
    fn from(error: hydrant::Error) -> Failure {
        Failure::Store(error)
    }
}

impl From<hydrant::engine::Error> for Failure {
    fn from(error: hydrant::engine::Error) -> Failure {
        Failure::Store(error.into())
    }
}

/// Says on stderr what failed, in one line: whoever reads the last line reads all of it.
pub fn report(command: &str, failure: &Failure) {
    if matches!(failure, Failure::ReaderGone) {
        return;
    }
    let text = failure.to_string().replace(['\n', '\r'], " ");
    // Nobody is left to tell where stderr is closed; the exit code still says it.
    let _ = writeln!(io::stderr(), "hydrant {command}: {text}");
}

fn code_of_class(class: Class) -> u8 {
    match class {
        Class::Usage => USAGE,
        Class::Config => CONFIG,
        Class::NotFound => NOT_FOUND,
        Class::Temporary => TEMPORARY,
        Class::Integrity => INTEGRITY,
        Class::Disk => DISK,
        Class::Cancelled => CANCELLED,
        _ => OTHER,
    }
}

fn code_of_io(error: &io::Error) -> u8 {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => NOT_FOUND,
        Some(libc::ENOSPC | libc::EIO | libc::EDQUOT | libc::EROFS) => DISK,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_the_library_has_its_number() {
        let promised = [
            (Class::Other, 1),
            (Class::Usage, 2),
            (Class::Config, 3),
            (Class::NotFound, 4),
            (Class::Temporary, 5),
            (Class::Integrity, 6),
            (Class::Disk, 7),
            (Class::Cancelled, 130),
        ];
        for (class, code) in promised {
            assert_eq!(code_of_class(class), code, "{class:?}");
        }
    }

    #[test]
    fn failures_of_the_program_itself_have_theirs() {
        let os = |errno| Failure::local("x")(io::Error::from_raw_os_error(errno));
        let text = String::new;
        let promised = [
            (Failure::Some { failed: 1, of: 2, first: text() }, 1),
            (Failure::Short(text()), 1),
            (os(libc::EACCES), 1),
            (Failure::Usage(text()), 2),
            (Failure::Config(text()), 3),
            (os(libc::ENOENT), 4),
            (Failure::Differs(text()), 6),
            (Failure::Disk(text()), 7),
            (os(libc::ENOSPC), 7),
            (os(libc::EIO), 7),
            (os(libc::EDQUOT), 7),
            (Failure::Signal(Signal::Interrupt), 130),
            (Failure::Signal(Signal::Terminate), 143),
            (Failure::stdout(io::Error::from_raw_os_error(libc::EPIPE)), 141),
            (Failure::stdout(io::Error::from_raw_os_error(libc::ENOSPC)), 7),
        ];
        for (failure, code) in promised {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
    }

    #[test]
    fn what_failed_is_told_with_how_many_were_done() {
        let failure = Failure::Some { failed: 1, of: 3, first: "s3://b/k: gone".into() };
        assert_eq!(failure.to_string(), "2 done, 1 failed; first s3://b/k: gone");
    }
}
