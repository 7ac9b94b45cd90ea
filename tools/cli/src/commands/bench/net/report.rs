//! What a client of a sink came to, for people and for programs.

use std::io::{self, Write};
use std::time::Duration;

use hydrant::engine::Engine;

use super::super::figures::{self, Figure, Value};
use super::blocks::Moved;
use super::client::Work;
use super::wire::{Way, ZeroCopy};
use crate::exit::Failure;
use crate::human;
use crate::json::Line;
use crate::table::Table;
use crate::took::{self, Took};

/// One direction.
#[derive(Debug)]
pub struct Run {
    pub way: Way,
    pub moved: Moved,
    pub took: Took,
}

/// Prints one or two directions of the same work.
pub fn print(engine: &Engine, work: &Work, runs: &[Run], json: bool) -> Result<(), Failure> {
    let text = if json { line(engine, work, runs) } else { table(engine, work, runs) };
    io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)
}

fn line(engine: &Engine, work: &Work, runs: &[Run]) -> String {
    let line = figures::fields(Line::new("hydrant.bench.net/1"), &setting(engine, work));
    let add = |line: Line, run: &Run| {
        line.object(way(run.way), |line| figures::fields(line, &run.figures()))
    };
    runs.iter().fold(line, add).finish() + "\n"
}

fn table(engine: &Engine, work: &Work, runs: &[Run]) -> String {
    let mut table = Table::default();
    let heads: Vec<&str> = runs.iter().map(|run| way(run.way)).collect();
    table.row("", &heads);
    let figures: Vec<Vec<Figure>> = runs.iter().map(Run::figures).collect();
    figures::rows(&mut table, &figures.iter().map(Vec::as_slice).collect::<Vec<_>>());
    table.about(&about(engine, work));
    table.finish()
}

impl Run {
    fn figures(&self) -> Vec<Figure> {
        let (moved, took) = (&self.moved, &self.took);
        let seconds = |time: Duration| time.as_secs_f64();
        let per_gib = |time| Value::Decimal(took::per_gib(seconds(time), moved.bytes), 3);
        let counted = &took.counted;
        let (asked, copied) = (counted.bytes_sent_zero_copy, counted.bytes_sent_zero_copy_copied);
        // Only what goes out can go without a copy.
        let share = match self.way {
            Way::Send => asked.saturating_sub(copied) as f64 / moved.bytes.max(1) as f64,
            Way::Receive => 0.0,
        };
        let mut figures = vec![
            Figure::new("blocks", "blocks", Value::Count(moved.blocks)),
            Figure::new("bytes", "bytes", Value::Count(moved.bytes)),
            Figure::new("seconds", "time_s", Value::Decimal(seconds(took.time), 3)),
            Figure::new("GB/s", "gb_per_s", {
                Value::Decimal(took.per_second(moved.bytes as f64) / 1e9, 3)
            }),
        ];
        figures.extend(moved.latency.figures());
        figures.extend([
            Figure::field("cpu_user_s", Value::Decimal(seconds(took.cpu.user), 6)),
            Figure::field("cpu_system_s", Value::Decimal(seconds(took.cpu.system), 6)),
            Figure::new("CPU s per GiB, user", "cpu_user_s_per_gib", per_gib(took.cpu.user)),
            Figure::new("CPU s per GiB, system", "cpu_system_s_per_gib", per_gib(took.cpu.system)),
            Figure::new("bytes in zero-copy sends", "zero_copy_bytes", Value::Count(asked)),
            Figure::new("of these copied by the kernel", "zero_copy_copied_bytes", {
                Value::Count(copied)
            }),
            Figure::new("sent without a copy", "zero_copy_share", Value::Share(share)),
            Figure::new("submissions", "submissions", Value::Count(counted.submissions)),
            Figure::new("enters of the kernel", "enters", Value::Count(counted.enters)),
        ]);
        figures
    }
}

fn setting(engine: &Engine, work: &Work) -> Vec<Figure> {
    let found = engine.capabilities();
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        Figure::field("address", Value::Text(work.address.to_string())),
        Figure::field("connections", Value::Count(work.connections as u64)),
        Figure::field("block_bytes", Value::Count(work.greeting.block_bytes)),
        Figure::field("zero_copy", text(zero_copy(work.greeting.zero_copy))),
        Figure::field("cores", Value::Count(engine.cores() as u64)),
        Figure::field("driver", text(found.driver)),
        Figure::field("registered_buffers", Value::Flag(found.buffers_registered())),
        Figure::field("pool_bytes", Value::Count(engine.pool().stats().total_bytes as u64)),
        Figure::field("kernel", text(&found.kernel)),
    ]
}

fn about(engine: &Engine, work: &Work) -> Vec<(&'static str, String)> {
    let found = engine.capabilities();
    let registered = if found.buffers_registered() { "granted" } else { "refused" };
    let loopback = match work.address.ip().is_loopback() {
        true => "; loopback, where the kernel always copies",
        false => "",
    };
    let load = format!(
        "{} connections, one block of {} in flight on each",
        work.connections,
        human::size(work.greeting.block_bytes)
    );
    let cores = engine.cores();
    vec![
        ("sink", format!("{}{loopback}", work.address)),
        ("load", load),
        ("zero copy", zero_copy(work.greeting.zero_copy).to_owned()),
        ("driver", format!("{}, cores: {cores}, Linux {}", found.driver, found.kernel)),
        ("pool", human::size(engine.pool().stats().total_bytes as u64)),
        ("registered buffers", registered.to_owned()),
        ("CPU", "of this process alone".to_owned()),
    ]
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Send => "send",
        Way::Receive => "receive",
    }
}

fn zero_copy(choice: ZeroCopy) -> &'static str {
    match choice {
        ZeroCopy::Auto => "auto",
        ZeroCopy::On => "on",
        ZeroCopy::Off => "off",
    }
}
