//! Several processes that measure at the same moment.
//!
//! The one that was started by a person starts the others with its own arguments. Each says that it is
//! ready, all are told to begin at once, and each tells what it counted.

use std::io::{self, BufRead, Write};

use tokio::sync::oneshot;

use super::outcome::Outcome;
use crate::exit::Failure;
use crate::helper::Helper;

const READY: &str = "ready";
const BEGIN: &str = "begin";

/// Runs so many, and merges what they counted.
pub async fn run(count: u16) -> Result<Outcome, Failure> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let start = |index: u16| {
        Helper::start("a process of the bench", |command| {
            command.args(&arguments).args(["--process", &index.to_string()]);
        })
    };
    let mut processes = Vec::with_capacity(count.into());
    for index in 0..count {
        let (process, told) = start(index)?;
        if told != READY {
            return Err(Failure::Short(format!("a process of the bench told {told:?}")));
        }
        processes.push(process);
    }
    for process in &mut processes {
        process.tell(BEGIN)?;
    }
    let mut all = Outcome::nothing();
    for process in &mut processes {
        all.add(Outcome::of_line(&process.next_line("a process of the bench").await?)?);
    }
    Ok(all)
}

/// In one of several: says that it is ready, and waits until all are.
pub async fn wait_for_the_others() -> Result<(), Failure> {
    say(READY)?;
    let (heard, line) = oneshot::channel();
    // Nothing but the end of the process ends a read of stdin, so it has a thread of its own.
    std::thread::spawn(move || {
        let mut lines = io::stdin().lock().lines();
        let _ = heard.send(lines.next());
        // The end of stdin is the end of whoever started this one.
        if !matches!(lines.next(), Some(Ok(_))) {
            std::process::exit(crate::exit::OTHER.into());
        }
    });
    match line.await {
        Ok(Some(Ok(line))) if line == BEGIN => Ok(()),
        _ => Err(Failure::Short("nobody told this process to begin".to_owned())),
    }
}

/// Tells what was counted.
pub fn tell(outcome: &Outcome) -> Result<(), Failure> {
    say(&outcome.to_line())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::stdout)
}
