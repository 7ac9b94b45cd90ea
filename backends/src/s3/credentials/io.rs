//! The world as a core sees it: HTTP on the core, files and commands on the control thread (CORE-1).

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hydrant_engine::{Buf, Core, resolve};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::CredentialsLimits;
use super::outside::{Answer, Ask, Outside, Secret, Unread};
use super::profile::PROFILE_FILE_BYTES_MAX;
use crate::http1::request::{Method, RequestWriter};
use crate::http1::{ConnectionPool, HttpError, HttpLimits, Origin, RequestBody, RequestHead};
use crate::s3::per_core::own_clock;
use crate::s3::time::Timestamp;

/// A core, for the time of one refresh.
pub(super) struct OnCore<'a> {
    pub(super) core: &'a Core,
    pub(super) limits: &'a CredentialsLimits,
    /// How TLS is spoken to services that give credentials: as to the store.
    #[cfg(feature = "tls")]
    pub(super) tls: &'a crate::s3::tls::TlsSource,
}

impl Outside for OnCore<'_> {
    fn now(&self) -> Timestamp {
        own_clock(self.core)
    }

    fn random(&self) -> u64 {
        self.core.random_u64()
    }

    async fn read(&self, path: &str) -> Result<Secret, Unread> {
        let path = path.to_owned();
        let read = self.core.blocking(move || read_file(&path)).await;
        read.map_err(|error| Unread::Failed(error.to_string()))?
    }

    async fn replace(&self, path: &str, content: Secret) -> Result<(), String> {
        let (path, number) = (path.to_owned(), self.core.random_u64());
        let replaced = self.core.blocking(move || replace_file(&path, &content, number)).await;
        replaced.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn run(&self, command: &str) -> Result<Secret, String> {
        let (command, limits) = (command.to_owned(), self.limits.clone());
        let run = self.core.blocking(move || run(&command, &limits)).await;
        run.map_err(|error| error.to_string())?
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, String> {
        let limit = ask.time_limit;
        match self.core.timeout(limit, self.exchange(ask)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
        }
    }

    async fn is_loopback(&self, host: &str) -> bool {
        let found = resolve(self.core, host, 80).await;
        found.is_ok_and(|all| !all.is_empty() && all.iter().all(|it| it.ip().is_loopback()))
    }

    async fn pause(&self, duration: Duration) {
        self.core.sleep(duration).await;
    }
}

impl OnCore<'_> {
    /// One request over a connection of its own: it is hours to the next.
    async fn exchange(&self, ask: Ask) -> Result<Answer, String> {
        let origin = Origin {
            host: ask.url.host().to_owned(),
            port: ask.url.port(),
            #[cfg(feature = "tls")]
            tls: if ask.url.is_tls() {
                Some(self.tls.load(self.core).await.map_err(|it| it.to_string())?)
            } else {
                None
            },
        };
        #[cfg(not(feature = "tls"))]
        if ask.url.is_tls() {
            return Err("it asks for TLS, which this build does not speak".to_owned());
        }
        let limits = HttpLimits {
            connections_per_core_max: 1,
            document_bytes_max: self.limits.answer_bytes_max,
            ..HttpLimits::default()
        };
        let pool = ConnectionPool::new(origin, limits);
        let connection = pool.lend(self.core, pool.place().await, true).await;
        let mut connection = connection.map_err(|it| it.to_string())?;
        let write = |out: &mut [u8]| write_head(&ask, out);
        let body = (!ask.body.is_empty()).then(|| RequestBody {
            span: 0..ask.body.len(),
            buf: Buf::from(Bytes::from_owner(Secret::clone(&ask.body))),
        });
        let exchanged = connection.exchange(write, body, |head, _| head.status()).await;
        let status = exchanged.result.map_err(|error| error.to_string())?;
        let document =
            connection.receive_document(Vec::new()).await.map_err(|error| error.to_string())?;
        Ok(Answer { status, body: Secret::new(document) })
    }
}

fn write_head(ask: &Ask, out: &mut [u8]) -> Result<RequestHead, HttpError> {
    let host = ask.url.host_header();
    let mut writer = RequestWriter::start(out, ask.method, ask.url.target(), &host)?
        .header("user-agent", concat!("hydrant/", env!("CARGO_PKG_VERSION")))?;
    for (name, value) in &ask.headers {
        writer = writer.header(name, value.as_bytes())?;
    }
    if matches!(ask.method, Method::Put | Method::Post) {
        writer = writer.content_length(ask.body.len() as u64)?;
    }
    Ok(RequestHead { bytes: writer.finish()?, method: ask.method, expects_continue: false })
}

/// Reads a file; one that is not there is empty.
///
/// # Errors
/// For people.
pub(in crate::s3) fn read_if_there(path: &str) -> Result<Secret, String> {
    match read_file(path) {
        Err(Unread::Missing) => Ok(Secret::default()),
        Err(error) => Err(error.to_string()),
        Ok(content) => Ok(content),
    }
}

/// Reads a file of at most [`PROFILE_FILE_BYTES_MAX`] bytes.
fn read_file(path: &str) -> Result<Secret, Unread> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Failed(error.to_string()),
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let too_large = || Unread::Failed(format!("it has more than {PROFILE_FILE_BYTES_MAX} bytes"));
    if bytes > PROFILE_FILE_BYTES_MAX as u64 {
        return Err(too_large());
    }
    // Room for all of it at once: a buffer that is left behind is not wiped.
    let mut content = Secret::new(Vec::with_capacity(bytes as usize + 1));
    let mut limited = file.take(PROFILE_FILE_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut content).map_err(failed)?;
    if content.len() > PROFILE_FILE_BYTES_MAX { Err(too_large()) } else { Ok(content) }
}

/// Writes a file for its owner alone and puts it in the place of another; none is ever seen half.
fn replace_file(path: &str, content: &[u8], number: u64) -> std::io::Result<()> {
    let temporary = format!("{path}.{number:016x}.tmp");
    let write = || {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    let written = write();
    if written.is_err() {
        // It may not even be there.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Runs a command by the shell, in a group of processes of its own that is ended with it.
fn run(command: &str, limits: &CredentialsLimits) -> Result<Secret, String> {
    let deadline = Instant::now() + limits.process;
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What it says there may be a secret.
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let output = output_of(&mut child, deadline, limits);
    if output.is_err() {
        end(&mut child);
    }
    let output = output?;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                end(&mut child);
                return Err(format!("it has not ended within {} s", limits.process.as_secs()));
            }
            Err(error) => return Err(format!("it cannot be waited for: {error}")),
        }
    };
    if !status.success() {
        return Err(format!("it ended with {status}; run it by hand to see what it says"));
    }
    Ok(output)
}

fn output_of(
    child: &mut Child,
    deadline: Instant,
    limits: &CredentialsLimits,
) -> Result<Secret, String> {
    let bytes_max = limits.answer_bytes_max;
    let mut stdout = child.stdout.take().expect("it was piped");
    let mut output = Secret::new(vec![0; bytes_max + 1]);
    let mut filled = 0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("it has not ended within {} s", limits.process.as_secs()));
        }
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let ready = poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&left));
        match ready {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(format!("its output cannot be waited for: {error}")),
        }
        match stdout.read(&mut output[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => return Err(format!("its output cannot be read: {error}")),
        }
        if filled > bytes_max {
            return Err(format!("it writes more than {bytes_max} bytes"));
        }
    }
    output.truncate(filled);
    Ok(output)
}

/// Ends the command and what it has started.
fn end(child: &mut Child) {
    if let Some(group) = Pid::from_raw(child.id() as i32) {
        // Nothing is left to end where this fails.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> CredentialsLimits {
        CredentialsLimits { answer_bytes_max: 100, ..CredentialsLimits::default() }
    }

    #[test]
    fn a_command_gives_its_output_or_why_not() {
        let output = run("printf '%s' \"a b\"; echo oops >&2", &limits()).expect("it runs");
        assert_eq!(&**output, b"a b");
        let error = run("echo hush; exit 3", &limits()).unwrap_err();
        assert!(error.contains("exit status: 3") && !error.contains("hush"), "{error}");
        assert!(run("yes", &limits()).unwrap_err().contains("more than 100 bytes"));
        assert!(run("cat", &limits()).expect("no input").is_empty());
    }

    #[test]
    fn a_file_is_replaced_whole_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.json");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        replace_file(path.to_str().unwrap(), b"new", 7).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(replace_file(folder.path().to_str().unwrap(), b"hush", 7).is_err(), "a folder");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left behind");
        let beside = format!("{}.{:016x}.tmp", folder.path().display(), 7);
        assert!(!std::path::Path::new(&beside).exists());
    }

    #[test]
    fn a_command_that_does_not_end_is_ended_with_all_that_it_started() {
        let limits = CredentialsLimits { process: Duration::from_millis(200), ..limits() };
        let began = Instant::now();
        assert!(run("sleep 100 & sleep 100", &limits).is_err());
        assert!(run("exec >&-; sleep 100", &limits).is_err(), "also one without an output");
        assert!(began.elapsed() < Duration::from_secs(50));
    }
}
