//! The result of the demo as a table of at most 100 columns.

use super::leg::Leg;
use crate::human;
use crate::table::Table;
use crate::took;

/// A row for each figure and a column for each direction, then what holds for both.
pub fn render(up: &Leg, down: &Leg, about: &[(&'static str, String)]) -> String {
    let mut table = Table::default();
    table.row("", &["upload", "download"]);
    table.row("", &["file to S3", "S3 to file"]);
    for (name, figure) in FIGURES {
        table.row(name, &[figure(up), figure(down)]);
    }
    table.about(about);
    table.finish()
}

type Figure = fn(&Leg) -> String;

const FIGURES: [(&str, Figure); 13] = [
    ("bytes", |leg| human::count(leg.bytes)),
    ("parts", |leg| human::count(leg.parts)),
    ("seconds", |leg| format!("{:.3}", leg.took.time.as_secs_f64())),
    ("GB/s", |leg| format!("{:.2}", leg.took.per_second(leg.bytes as f64) / 1e9)),
    ("client CPU s per GiB, user", |leg| {
        format!("{:.3}", took::per_gib(leg.took.cpu.user.as_secs_f64(), leg.bytes))
    }),
    ("client CPU s per GiB, system", |leg| {
        format!("{:.3}", took::per_gib(leg.took.cpu.system.as_secs_f64(), leg.bytes))
    }),
    ("payload bytes copied in user space", |leg| human::count(leg.took.counted.copied_bytes())),
    ("file bytes in registered buffers", |leg| {
        format!("{:.1} %", leg.took.registered_share() * 100.0)
    }),
    ("bytes in zero-copy sends", |leg| human::count(leg.took.counted.bytes_sent_zero_copy)),
    ("of these copied by the kernel (loopback)", |leg| {
        human::count(leg.took.counted.bytes_sent_zero_copy_copied)
    }),
    ("submissions per GiB", |leg| per_gib(leg, leg.took.counted.submissions)),
    ("io_uring_enter calls per GiB", |leg| per_gib(leg, leg.took.counted.enters)),
    ("connections opened", |leg| human::count(leg.took.counted.connections_opened)),
];

fn per_gib(leg: &Leg, count: u64) -> String {
    human::count(took::per_gib(count as f64, leg.bytes).round() as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hydrant::engine::MetricsSnapshot;

    use super::*;
    use crate::took::Took;
    use crate::usage::CpuTime;

    #[test]
    fn the_table_fits_a_terminal_and_its_columns_line_up() {
        let cpu = CpuTime { user: Duration::from_millis(40), system: Duration::from_millis(280) };
        let mut counted = MetricsSnapshot::default();
        counted.submissions = 5_000;
        let took = Took { time: Duration::from_secs(2), cpu, counted };
        let leg = Leg { bytes: 1 << 31, parts: 256, took };
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
