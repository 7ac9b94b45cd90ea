//! Results as a table of at most 100 columns: a row for each figure, then what holds for the whole
//! run.

use std::fmt::Write;

/// A table that is being written.
#[derive(Debug, Default)]
pub struct Table(String);

impl Table {
    /// A figure, with a cell for each column.
    pub fn row<T: AsRef<str>>(&mut self, name: &str, cells: &[T]) {
        write!(self.0, "{name:42}").expect("a string takes all");
        for cell in cells {
            write!(self.0, "{:>18}", cell.as_ref()).expect("a string takes all");
        }
        self.0.push('\n');
    }

    /// What holds for the whole run; the first such line is set apart.
    pub fn about(&mut self, lines: &[(&'static str, String)]) {
        self.0.push('\n');
        for (name, value) in lines {
            writeln!(self.0, "{name:20}{value}").expect("a string takes all");
        }
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}
