//! The result of the demo as a table of at most 100 columns.

use std::fmt::Write;

use super::leg::Leg;
use crate::human;

/// A row for each figure and a column for each direction, then what holds for both.
pub fn render(up: &Leg, down: &Leg, about: &[(&'static str, String)]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, up: &str, down: &str| {
        writeln!(text, "{name:42}{up:>18}{down:>18}").expect("a string takes all");
    };
    line("", "upload", "download");
    line("", "file to S3", "S3 to file");
    for (name, figure) in FIGURES {
        line(name, &figure(up), &figure(down));
    }
    text.push('\n');
    for (name, value) in about {
        writeln!(text, "{name:20}{value}").expect("a string takes all");
    }
    text
}

type Figure = fn(&Leg) -> String;

const FIGURES: [(&str, Figure); 13] = [
    ("bytes", |leg| human::count(leg.bytes)),
    ("parts", |leg| human::count(leg.parts)),
    ("seconds", |leg| format!("{:.3}", leg.time.as_secs_f64())),
    ("GB/s", |leg| format!("{:.2}", leg.bytes as f64 / 1e9 / leg.time.as_secs_f64().max(1e-9))),
    ("client CPU s per GiB, user", |leg| format!("{:.3}", leg.per_gib(leg.cpu.user.as_secs_f64()))),
    ("client CPU s per GiB, system", |leg| {
        format!("{:.3}", leg.per_gib(leg.cpu.system.as_secs_f64()))
    }),
    ("payload bytes copied in user space", |leg| human::count(leg.counted.copied_bytes())),
    ("file bytes in registered buffers", |leg| format!("{:.1} %", leg.registered_share() * 100.0)),
    ("bytes in zero-copy sends", |leg| human::count(leg.counted.bytes_sent_zero_copy)),
    ("of these copied by the kernel (loopback)", |leg| {
        human::count(leg.counted.bytes_sent_zero_copy_copied)
    }),
    ("submissions per GiB", |leg| per_gib(leg, leg.counted.submissions)),
    ("io_uring_enter calls per GiB", |leg| per_gib(leg, leg.counted.enters)),
    ("connections opened", |leg| human::count(leg.counted.connections_opened)),
];

fn per_gib(leg: &Leg, count: u64) -> String {
    human::count(leg.per_gib(count as f64).round() as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hydrant::engine::MetricsSnapshot;

    use super::super::usage::CpuTime;
    use super::*;

    #[test]
    fn the_table_fits_a_terminal_and_its_columns_line_up() {
        let cpu = CpuTime { user: Duration::from_millis(40), system: Duration::from_millis(280) };
        let mut counted = MetricsSnapshot::default();
        counted.submissions = 5_000;
        let leg = Leg { bytes: 1 << 31, parts: 256, time: Duration::from_secs(2), cpu, counted };
        let text = render(&leg, &leg, &[("driver", "io_uring".into())]);
        assert!(text.lines().all(|line| line.len() <= 100));
        let row = |name: &str| text.lines().find(|line| line.starts_with(name)).expect(name);
        assert!(row("bytes ").ends_with("     2,147,483,648     2,147,483,648"));
        assert!(row("GB/s").ends_with("1.07              1.07"));
        assert!(row("client CPU s per GiB, system").ends_with("0.140             0.140"));
        assert!(row("submissions").ends_with("2,500             2,500"));
        assert!(text.ends_with("\ndriver              io_uring\n"));
    }
}
