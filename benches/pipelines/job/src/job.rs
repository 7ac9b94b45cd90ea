//! The options and the line of a program.

use std::error::Error;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Why a run does not count.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// In ranges, handed on in order and released
    GetStream,
    /// In ranges, into one buffer of the caller, touched beforehand
    GetBuffer,
    /// In ranges, into a file with O_DIRECT
    GetFile,
    /// In parts, from one piece of memory that is sent again and again
    PutMemory,
    /// In parts, from a file with O_DIRECT
    PutFile,
    /// Whole objects, KEY/00000 and so on
    GetMany,
    /// The same the other way
    PutMany,
    /// The keys beneath KEY/, each of which counts as one byte
    List,
}

/// One job. The credentials are in the environment.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Job {
    /// What is done.
    #[arg(value_enum)]
    pub work: Work,
    /// The server, as http://127.0.0.1:9000.
    #[arg(long)]
    pub endpoint: String,
    /// The bucket.
    #[arg(long)]
    pub bucket: String,
    /// The object, or what comes before the slash and the number of each of many.
    #[arg(long)]
    pub key: String,
    /// How many objects.
    #[arg(long, default_value_t = 1)]
    pub objects: u64,
    /// Bytes of each.
    #[arg(long)]
    pub bytes: u64,
    /// Payload of a request at most.
    #[arg(long)]
    pub part_bytes: u64,
    /// Requests under way at once, each on a connection.
    #[arg(long)]
    pub connections: usize,
    /// The file of the rows that have one.
    #[arg(long, required_if_eq_any([("work", "get-file"), ("work", "put-file")]))]
    pub file: Option<PathBuf>,
}

/// The rows of one object, and those of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// One object in parts.
    One,
    /// Many objects, each in one request.
    Many,
}

impl Job {
    /// Whether it is one object or many.
    pub fn row(&self) -> Row {
        match self.work {
            Work::GetMany | Work::PutMany | Work::List => Row::Many,
            _ => Row::One,
        }
    }

    /// The parts of one object, in order.
    pub fn parts(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let (bytes, part) = (self.bytes, self.part_bytes);
        (0..bytes.div_ceil(part)).map(move |at| at * part..bytes.min((at + 1) * part))
    }

    /// The keys of many objects.
    pub fn keys(&self) -> impl Iterator<Item = String> + use<> {
        let (key, objects) = (self.key.clone(), self.objects);
        (0..objects).map(move |at| format!("{key}/{at:05}"))
    }

    /// The file of a row that has one.
    pub fn file(&self) -> Result<&PathBuf, Failure> {
        self.file.as_ref().ok_or_else(|| "this row takes --file".into())
    }

    /// Payload in all.
    pub fn total_bytes(&self) -> u64 {
        self.objects * self.bytes
    }
}

/// What came of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Payload that has moved.
    pub bytes: u64,
    /// Payload that the client has copied in user space on the way, where it counts that.
    pub copied_bytes: Option<u64>,
}

impl From<u64> for Moved {
    fn from(bytes: u64) -> Moved {
        Moved { bytes, copied_bytes: None }
    }
}

impl Moved {
    fn line(&self, job: &Job) -> String {
        let copied = self.copied_bytes.map(|bytes| format!(",\"copied_bytes\":{bytes}"));
        let (bytes, objects) = (self.bytes, job.objects);
        format!("{{\"bytes\":{bytes},\"objects\":{objects}{}}}", copied.unwrap_or_default())
    }
}

/// The whole of a program: `run` does the job and says how many bytes have moved.
#[expect(clippy::print_stdout, reason = "the result of the run")]
#[expect(clippy::print_stderr, reason = "a program tells its user there what went wrong")]
pub fn main<M: Into<Moved>>(run: impl FnOnce(&Job) -> Result<M, Failure>) -> ExitCode {
    let job = Job::parse();
    let moved = run(&job).map(Into::into).and_then(|moved| match moved.bytes {
        bytes if bytes == job.total_bytes() => Ok(moved),
        bytes => Err(format!("{bytes} of {} bytes have moved", job.total_bytes()).into()),
    });
    match moved {
        Ok(moved) => {
            println!("{}", moved.line(&job));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_object_and_the_last_may_be_short() {
        let words = "x get-stream --endpoint=e --bucket=b --key=k --bytes=20 --part-bytes=8";
        let words = words.split(' ').chain(["--connections=1"]);
        let job = Job::parse_from(words);
        assert_eq!(job.parts().collect::<Vec<_>>(), [0..8, 8..16, 16..20]);
        assert_eq!((job.row(), job.total_bytes()), (Row::One, 20));
    }

    #[test]
    fn what_was_copied_is_told_by_who_counts_it() {
        let words = "x get-stream --endpoint=e --bucket=b --key=k --bytes=5 --part-bytes=8";
        let job = Job::parse_from(words.split(' ').chain(["--connections=1"]));
        assert_eq!(Moved::from(5).line(&job), "{\"bytes\":5,\"objects\":1}");
        let counted = Moved { bytes: 5, copied_bytes: Some(0) };
        assert_eq!(counted.line(&job), "{\"bytes\":5,\"objects\":1,\"copied_bytes\":0}");
    }

    #[test]
    fn many_have_five_digits() {
        let words = "x get-many --endpoint=e --bucket=b --key=k --objects=2 --bytes=1";
        let words = words.split(' ').chain(["--part-bytes=8", "--connections=1"]);
        let job = Job::parse_from(words);
        assert_eq!(job.keys().collect::<Vec<_>>(), ["k/00000", "k/00001"]);
    }
}
