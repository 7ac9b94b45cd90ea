//! What a run counted, and how processes tell each other: one line of text.

use std::fmt::Write;
use std::time::Duration;

use super::super::latency::Latency;

use crate::exit::Failure;
use crate::took::Took;

/// What one worker, one process or all of them counted.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub objects: u64,
    pub bytes: u64,
    pub errors: u64,
    /// What went wrong first.
    pub first_error: Option<String>,
    /// From asking for an object to having all of it, or to knowing that it is stored.
    pub latency: Latency,
    /// From asking for it to the head of the answer.
    pub first_byte: Latency,
    /// How long the run was; of several at once, the longest.
    pub time: Duration,
    pub cpu_user: Duration,
    pub cpu_system: Duration,
    /// The most memory that the process had, in bytes; of several, all of theirs.
    pub peak_bytes: u64,
}

impl Outcome {
    pub fn nothing() -> Outcome {
        Outcome {
            objects: 0,
            bytes: 0,
            errors: 0,
            first_error: None,
            latency: Latency::new(),
            first_byte: Latency::new(),
            time: Duration::ZERO,
            cpu_user: Duration::ZERO,
            cpu_system: Duration::ZERO,
            peak_bytes: 0,
        }
    }

    /// Adds what was counted at the same time.
    pub fn add(&mut self, other: Outcome) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.latency.merge(&other.latency);
        self.first_byte.merge(&other.first_byte);
        self.time = self.time.max(other.time);
        self.cpu_user += other.cpu_user;
        self.cpu_system += other.cpu_system;
        self.peak_bytes += other.peak_bytes;
    }

    /// With what the run of a process took.
    pub fn taking(self, took: Took) -> Outcome {
        let memory = crate::usage::peak_memory();
        let peak_bytes = memory.map_or(0, |memory| memory.resident + memory.huge);
        let (cpu_user, cpu_system) = (took.cpu.user, took.cpu.system);
        Outcome { time: took.time, cpu_user, cpu_system, peak_bytes, ..self }
    }

    /// As one line.
    pub fn to_line(&self) -> String {
        let mut line = format!(
            "{} {} {} {} {} {} {}",
            self.objects,
            self.bytes,
            self.errors,
            self.time.as_nanos(),
            self.cpu_user.as_nanos(),
            self.cpu_system.as_nanos(),
            self.peak_bytes
        );
        for histogram in [&self.latency, &self.first_byte] {
            line.push(' ');
            line.push_str(&histogram.to_text());
        }
        if let Some(error) = &self.first_error {
            write!(line, " {}", error.escape_debug()).expect("a string takes all");
        }
        line
    }

    /// From such a line.
    pub fn of_line(line: &str) -> Result<Outcome, Failure> {
        Outcome::read(line)
            .ok_or_else(|| Failure::Short("a process told counts that cannot be read".to_owned()))
    }

    fn read(line: &str) -> Option<Outcome> {
        let mut words = line.splitn(10, ' ');
        let mut numbers = [0; 7];
        for number in &mut numbers {
            *number = words.next()?.parse().ok()?;
        }
        let [objects, bytes, errors, time, user, system, peak_bytes] = numbers;
        Some(Outcome {
            objects,
            bytes,
            errors,
            latency: Latency::of_text(words.next()?)?,
            first_byte: Latency::of_text(words.next()?)?,
            first_error: words.next().map(str::to_owned),
            time: Duration::from_nanos(time),
            cpu_user: Duration::from_nanos(user),
            cpu_system: Duration::from_nanos(system),
            peak_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        let mut outcome = Outcome::nothing();
        (outcome.objects, outcome.bytes, outcome.errors) = (3, 4096, 1);
        outcome.time = Duration::from_millis(1500);
        outcome.cpu_user = Duration::from_micros(7);
        outcome.first_error = Some("it broke, \"twice\"\nreally".into());
        (1..=1000).for_each(|micros| outcome.latency.record(Duration::from_micros(micros)));
        outcome
    }

    #[test]
    fn a_process_tells_all_that_it_counted() {
        let told = Outcome::of_line(&outcome().to_line()).expect("a line");
        assert_eq!((told.objects, told.bytes, told.errors), (3, 4096, 1));
        assert_eq!((told.time, told.cpu_user), (outcome().time, outcome().cpu_user));
        assert_eq!(told.latency.to_text(), outcome().latency.to_text());
        assert_eq!(told.first_byte.to_text(), Latency::new().to_text());
        assert!(told.first_error.expect("an error").starts_with("it broke"));
        assert!(!outcome().to_line().contains('\n'));
    }

    #[test]
    fn processes_at_once_add_up_and_last_as_long_as_the_longest() {
        let mut all = outcome();
        all.add(Outcome { time: Duration::from_secs(9), ..outcome() });
        assert_eq!((all.objects, all.bytes, all.time), (6, 8192, Duration::from_secs(9)));
        assert_eq!(all.cpu_user, 2 * outcome().cpu_user);
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in ["", "1 2 3", "1 2 3 4 5 6 7 x:1 -", "a 2 3 4 5 6 7 - -"] {
            assert!(Outcome::of_line(line).is_err(), "{line:?}");
        }
    }
}
