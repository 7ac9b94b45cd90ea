//! The progress bar on a terminal: bytes, rate, time left. Cores only add to a counter; the main
//! thread draws, because a core never blocks (CORE-1).

use std::future::Future;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};

const REDRAW: Duration = Duration::from_millis(100);
/// What a total reads as before it is known.
const UNKNOWN: u64 = u64::MAX;

/// How far some work is.
#[derive(Debug, Clone)]
pub struct Progress(Arc<State>);

#[derive(Debug)]
struct State {
    done_bytes: AtomicU64,
    total_bytes: AtomicU64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar on stderr where that is a terminal; nothing otherwise, or when quiet is asked for.
    pub fn new(label: &str, quiet: bool) -> Progress {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_message(label.to_owned());
            bar
        });
        let (done_bytes, total_bytes) = (AtomicU64::new(0), AtomicU64::new(UNKNOWN));
        Progress(Arc::new(State { done_bytes, total_bytes, bar }))
    }

    /// Sets how much there is to do.
    pub fn expect(&self, total_bytes: u64) {
        self.0.total_bytes.store(total_bytes, Relaxed);
    }

    /// Adds to what is done.
    pub fn add(&self, bytes: u64) {
        self.0.done_bytes.fetch_add(bytes, Relaxed);
    }

    /// Takes both numbers, from any thread.
    pub fn listener(&self) -> Arc<dyn Fn(u64, Option<u64>) + Send + Sync> {
        let state = Arc::clone(&self.0);
        Arc::new(move |done, total| {
            state.done_bytes.store(done, Relaxed);
            state.total_bytes.store(total.unwrap_or(UNKNOWN), Relaxed);
        })
    }

    /// Draws while `work` runs.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        self.during_counted(work, || self.0.done_bytes.load(Relaxed)).await
    }

    /// Draws while `work` runs, and asks `done_bytes` how far that is.
    pub async fn during_counted<T>(
        &self,
        work: impl Future<Output = T>,
        done_bytes: impl Fn() -> u64,
    ) -> T {
        let Some(bar) = &self.0.bar else { return work.await };
        let mut work = std::pin::pin!(work);
        let mut ticks = interval(REDRAW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                _ = ticks.tick() => {
                    self.0.done_bytes.store(done_bytes(), Relaxed);
                    self.0.draw(bar);
                }
            }
        }
    }
}

impl State {
    fn draw(&self, bar: &ProgressBar) {
        let total = self.total_bytes.load(Relaxed);
        if total != UNKNOWN && bar.length() != Some(total) {
            bar.set_length(total);
            bar.set_style(style(
                "{msg} {bar:30} {binary_bytes} of {binary_total_bytes}, {decimal_bytes_per_sec}, \
                 {eta} left",
            ));
        } else if total == UNKNOWN && bar.length().is_none() {
            bar.set_style(style("{msg} {spinner} {binary_bytes}, {decimal_bytes_per_sec}"));
        }
        bar.set_position(self.done_bytes.load(Relaxed));
        bar.tick();
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates are constants that are well formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed_and_numbers_arrive() {
        let bar = ProgressBar::hidden();
        let progress = Progress::new("x", true);
        progress.0.draw(&bar);
        progress.listener()(3, Some(10));
        progress.add(4);
        progress.0.draw(&bar);
        assert_eq!((bar.position(), bar.length()), (7, Some(10)));
    }
}
