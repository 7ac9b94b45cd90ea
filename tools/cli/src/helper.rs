//! This program once more, as a process of its own, which ends when its stdin does, and so whenever
//! this one ends, however that comes about.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::exit::Failure;

/// How long it may take to end before it is ended.
const STOP_LIMIT: Duration = Duration::from_secs(6);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A running helper. Dropping it stops it and waits for its end.
#[derive(Debug)]
pub struct Helper {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
}

impl Helper {
    /// Starts one with arguments that `arrange` adds. It has to end at the end of its stdin. The
    /// first line of its stdout, which says where it is to be found, comes with it.
    pub fn start(
        what: &str,
        arrange: impl FnOnce(&mut Command),
    ) -> Result<(Helper, String), Failure> {
        let program = std::env::current_exe().map_err(Failure::local("find this program"))?;
        let mut command = Command::new(program);
        arrange(&mut command);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for this process, which may still need the other one.
            .process_group(0);
        let mut child = command.spawn().map_err(Failure::local(format!("start {what}")))?;
        let out = child.stdout.take().map(BufReader::new);
        let mut helper = Helper { child, out };
        let line = helper.first_line(what)?;
        Ok((helper, line))
    }

    /// At the end of stdout it has ended and told stderr why.
    fn first_line(&mut self, what: &str) -> Result<String, Failure> {
        let mut line = String::new();
        if let Some(out) = &mut self.out {
            let read = out.read_line(&mut line);
            read.map_err(Failure::local(format!("read the address of {what}")))?;
        }
        match line.trim_end() {
            "" => Err(Failure::Short(format!("{what} did not start"))),
            told => Ok(told.to_owned()),
        }
    }

    /// Writes a line to its stdin.
    pub fn tell(&mut self, line: &str) -> Result<(), Failure> {
        let told = match &mut self.child.stdin {
            Some(input) => writeln!(input, "{line}").and_then(|()| input.flush()),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        told.map_err(Failure::local("write to a process of one's own"))
    }

    /// The next line of its stdout. A thread waits for it, so that a signal is heard meanwhile.
    pub async fn next_line(&mut self, what: &str) -> Result<String, Failure> {
        let gone = || Failure::Short(format!("{what} ended too early"));
        let mut out = self.out.take().ok_or_else(gone)?;
        let (heard, line) = oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = out.read_line(&mut line);
            // Nobody listens any more where a signal came.
            let _ = heard.send((read.map(|_| line), out));
        });
        let (line, out) = line.await.map_err(|_| gone())?;
        self.out = Some(out);
        let line = line.map_err(Failure::local(format!("read what {what} tells")))?;
        match line.trim_end_matches('\n') {
            "" => Err(gone()),
            told => Ok(told.to_owned()),
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

impl Drop for Helper {
    fn drop(&mut self) {
        // It cannot be waited for only when it is gone already.
        let _ = self.stop();
    }
}
