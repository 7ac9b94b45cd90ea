//! fio as the engine's peer on a disk: the same file, the same bytes in flight, io_uring with
//! registered buffers and files, O_DIRECT.

use std::path::Path;

use super::contestant::{Contestant, Moved, Proof};

/// One way to set fio up.
#[derive(Clone, Copy)]
pub struct Setup {
    pub name: &'static str,
    pub block_bytes: u64,
    pub depth: u64,
    /// Submissions and completions taken at once; fio's default is one.
    pub batch: u64,
}

/// The place of the bytes of reads and of writes in fio's terse output, version 3, in KiB; the time
/// in ms comes three fields later.
const READ_FIELD: usize = 5;
const WRITE_FIELD: usize = 46;

impl Setup {
    /// As a program of a bench that runs for `seconds`.
    pub fn contestant(&self, file: &Path, rw: &str, bytes: u64, seconds: u64) -> Contestant {
        let values = [
            ("filename", file.display().to_string()),
            ("size", bytes.to_string()),
            ("rw", rw.to_owned()),
            ("bs", self.block_bytes.to_string()),
            ("iodepth", self.depth.to_string()),
            ("iodepth_batch_submit", self.batch.to_string()),
            ("iodepth_batch_complete_min", "1".to_owned()),
            ("iodepth_batch_complete_max", self.batch.to_string()),
            ("runtime", seconds.to_string()),
        ];
        // As the engine's bench does it: one latency, the same bytes again and again, and blocks at
        // random may come twice.
        let fixed = "--name=bench --ioengine=io_uring --fixedbufs --registerfiles --direct=1 \
                     --thread --time_based --overwrite=1 --scramble_buffers=0 \
                     --norandommap --randrepeat=0 --disable_slat=1 --disable_lat=1 --output-format=terse --terse-version=3";
        let command = std::iter::once("fio".to_owned())
            .chain(fixed.split(' ').map(str::to_owned))
            .chain(values.map(|(name, value)| format!("--{name}={value}")))
            .collect();
        let writes = rw.ends_with("write");
        let proof = Proof::Tells(if writes { written } else { read });
        Contestant { name: self.name, command, proof }
    }
}

fn read(printed: &str) -> Option<Moved> {
    moved(printed, READ_FIELD)
}

fn written(printed: &str) -> Option<Moved> {
    moved(printed, WRITE_FIELD)
}

fn moved(printed: &str, field: usize) -> Option<Moved> {
    let line = printed.lines().find(|line| line.starts_with("3;fio-"))?;
    let fields: Vec<&str> = line.split(';').collect();
    let kib: u64 = fields.get(field)?.parse().ok()?;
    let milliseconds: f64 = fields.get(field + 3)?.parse().ok()?;
    Some(Moved { bytes: kib << 10, time_s: milliseconds / 1e3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terse_line_tells_bytes_and_time() {
        let mut fields = vec!["0"; 100];
        fields[0] = "3";
        fields[1] = "fio-3.33";
        fields[READ_FIELD] = "4096";
        fields[READ_FIELD + 3] = "2500";
        fields[WRITE_FIELD] = "8";
        fields[WRITE_FIELD + 3] = "1000";
        let line = format!("fio: a remark\n{}\n", fields.join(";"));
        assert_eq!(read(&line), Some(Moved { bytes: 4 << 20, time_s: 2.5 }));
        assert_eq!(written(&line), Some(Moved { bytes: 8192, time_s: 1.0 }));
        assert_eq!(read("fio: it failed"), None);
    }

    #[test]
    fn the_peer_is_set_up_like_the_engine() {
        let setup = Setup { name: "fio", block_bytes: 4096, depth: 64, batch: 1 };
        let contestant = setup.contestant(Path::new("/x"), "randread", 1 << 30, 10);
        let line = contestant.command.join(" ");
        for word in ["--fixedbufs", "--registerfiles", "--direct=1", "--iodepth=64", "--bs=4096"] {
            assert!(line.contains(word), "{word} in {line}");
        }
        assert!(!line.contains("  "), "{line}");
    }
}
