//! What a run came to, for people and for programs.

use std::io::{self, Write};
use std::time::Duration;

use super::super::figures::{self, Figure, Value};
use super::Bench;
use super::outcome::Outcome;
use super::work::Way;
use crate::exit::Failure;
use crate::human;
use crate::json::Line;
use crate::options::Options;
use crate::table::Table;
use crate::took;

/// Prints it. A run in which objects failed has figures, and fails.
pub(super) fn print(bench: &Bench, outcome: &Outcome, options: &Options) -> Result<(), Failure> {
    let figures = figures_of(outcome);
    let text = match bench.load.json {
        true => {
            let schema = match bench.way {
                Way::Get => "hydrant.bench.get/1",
                Way::Put => "hydrant.bench.put/1",
            };
            let line = figures::fields(Line::new(schema), &setting(bench, options));
            figures::fields(line, &figures).finish() + "\n"
        }
        false => {
            let mut table = Table::default();
            figures::rows(&mut table, &[&figures]);
            table.about(&about(bench, options));
            table.finish()
        }
    };
    io::stdout().write_all(text.as_bytes()).map_err(Failure::stdout)?;
    match &outcome.first_error {
        Some(first) if outcome.errors > 0 => Err(Failure::Some {
            failed: outcome.errors as usize,
            of: (outcome.objects + outcome.errors) as usize,
            first: human::name(first),
        }),
        _ => Ok(()),
    }
}

fn figures_of(outcome: &Outcome) -> Vec<Figure> {
    let seconds = |time: Duration| time.as_secs_f64();
    let per_second = |count: u64| count as f64 / seconds(outcome.time).max(1e-9);
    let per_gib = |time| Value::Decimal(took::per_gib(seconds(time), outcome.bytes), 3);
    let per_object = |time| Value::Decimal(seconds(time) * 1e6 / outcome.objects.max(1) as f64, 2);
    let mut figures = vec![
        Figure::new("objects", "objects", Value::Count(outcome.objects)),
        Figure::new("bytes", "bytes", Value::Count(outcome.bytes)),
        Figure::new("seconds", "time_s", Value::Decimal(seconds(outcome.time), 3)),
        Figure::new("objects/s", "objects_per_s", {
            Value::Decimal(per_second(outcome.objects), 0)
        }),
        Figure::new("GB/s", "gb_per_s", Value::Decimal(per_second(outcome.bytes) / 1e9, 3)),
    ];
    figures.extend(outcome.latency.figures());
    if !outcome.first_byte.is_empty() {
        figures.extend(outcome.first_byte.figures_to_first_byte());
    }
    figures.extend([
        Figure::field("cpu_user_s", Value::Decimal(seconds(outcome.cpu_user), 6)),
        Figure::field("cpu_system_s", Value::Decimal(seconds(outcome.cpu_system), 6)),
        Figure::new("CPU s per GiB, user", "cpu_user_s_per_gib", per_gib(outcome.cpu_user)),
        Figure::new("CPU s per GiB, system", "cpu_system_s_per_gib", per_gib(outcome.cpu_system)),
        Figure::new("CPU µs per object, user", "cpu_user_us_per_object", {
            per_object(outcome.cpu_user)
        }),
        Figure::new("CPU µs per object, system", "cpu_system_us_per_object", {
            per_object(outcome.cpu_system)
        }),
        Figure::new("MiB of memory, peak", "peak_mib", {
            Value::Decimal(outcome.peak_bytes as f64 / f64::from(1 << 20), 1)
        }),
        Figure::new("errors", "errors", Value::Count(outcome.errors)),
    ]);
    figures
}

fn setting(bench: &Bench, options: &Options) -> Vec<Figure> {
    let load = &bench.load;
    let count = |field, count: u64| Figure::field(field, Value::Count(count));
    vec![
        Figure::field("uri", Value::Text(bench.uri.clone())),
        count("connections", load.connections.into()),
        count("cores", options.cores.unwrap_or(1) as u64),
        count("processes", load.processes.into()),
        count("part_bytes", load.part_size),
        count("objects_max", load.objects.into()),
        Figure::field("warm_up_s", {
            Value::Decimal(load.warm_up.unwrap_or_default().as_secs_f64(), 3)
        }),
        Figure::field("pinned", Value::Flag(load.pin)),
        Figure::field("kept", Value::Flag(bench.keep)),
    ]
}

fn about(bench: &Bench, options: &Options) -> Vec<(&'static str, String)> {
    let load = &bench.load;
    let (cores, pinned) =
        (options.cores.unwrap_or(1), if load.pin { ", each on a CPU of its own" } else { "" });
    let processes = match load.processes {
        1 => String::new(),
        processes => format!(" in each of {processes} processes"),
    };
    let mut about = vec![
        ("place", human::name(&bench.uri)),
        (
            "load",
            format!("{} objects at a time{processes}, cores: {cores}{pinned}", load.connections),
        ),
    ];
    if let Some(warm_up) = load.warm_up {
        about.push(("warm-up", human::span(warm_up)));
    }
    if let [first, rest @ ..] = bench.sizes.shown() {
        let more = if rest.is_empty() { "" } else { " and so on" };
        about.push(("sizes", format!("{}{more}", human::size(*first))));
    }
    about
}
