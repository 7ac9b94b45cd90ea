//! The buffer of the caller, in the row that has one.

use std::fs;
use std::time::{Duration, Instant};

use crate::job::{Failure, Job};

impl Job {
    /// Memory for the object, every page of it there. What that took is told in a line, and not counted: it is the
    /// caller's.
    ///
    /// # Errors
    /// The kernel does not tell the CPU time of a thread.
    #[expect(clippy::print_stdout, reason = "a part of the result of the run")]
    pub fn touched_buffer(&self) -> Result<Vec<u8>, Failure> {
        let (cpu, begun) = (cpu_time()?, Instant::now());
        // Not zero: memory of zeros is not there before it is touched.
        let buffer = vec![1; self.bytes as usize];
        let cpu_s = (cpu_time()? - cpu).as_secs_f64();
        if cpu_s == 0.0 {
            return Err("the kernel does not tell the CPU time of a thread in schedstat".into());
        }
        let wall_s = begun.elapsed().as_secs_f64();
        println!("{{\"loading_cpu_s\":{cpu_s},\"loading_wall_s\":{wall_s}}}");
        Ok(buffer)
    }
}

/// Of this thread, as of the kernel's last tick.
fn cpu_time() -> Result<Duration, Failure> {
    let told = fs::read_to_string("/proc/thread-self/schedstat")?;
    let on_cpu = told.split(' ').next().ok_or("schedstat is empty")?;
    Ok(Duration::from_nanos(on_cpu.parse()?))
}
