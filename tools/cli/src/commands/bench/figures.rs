//! The figures of a run: one list, shown as a column of a table and as fields of JSON.

use crate::human;
use crate::json::Line;
use crate::table::Table;

/// A named number or word.
#[derive(Debug, Clone)]
pub struct Figure {
    /// For people; `None` where the table tells it elsewhere.
    pub name: Option<&'static str>,
    /// For programs, with its unit.
    pub field: &'static str,
    pub value: Value,
}

/// What it says.
#[derive(Debug, Clone)]
pub enum Value {
    Count(u64),
    /// A measured number, and how many decimals people want of it.
    Decimal(f64, usize),
    /// A share of 1; people read percent.
    Share(f64),
    Text(String),
    Flag(bool),
}

impl Figure {
    /// A figure of the table and of JSON.
    pub fn new(name: &'static str, field: &'static str, value: Value) -> Figure {
        Figure { name: Some(name), field, value }
    }

    /// A field of JSON alone.
    pub fn field(field: &'static str, value: Value) -> Figure {
        Figure { name: None, field, value }
    }

    fn shown(&self) -> String {
        match &self.value {
            Value::Count(count) => human::count(*count),
            Value::Decimal(number, decimals) => format!("{number:.decimals$}"),
            Value::Share(share) => format!("{:.1} %", share * 100.0),
            Value::Text(text) => text.clone(),
            Value::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        }
    }
}

/// Adds them to a line of JSON.
pub fn fields(line: Line, figures: &[Figure]) -> Line {
    figures.iter().fold(line, |line, figure| match &figure.value {
        Value::Count(count) => line.number(figure.field, *count),
        Value::Decimal(number, _) | Value::Share(number) => line.decimal(figure.field, *number),
        Value::Text(text) => line.text(figure.field, text),
        Value::Flag(flag) => line.flag(figure.field, *flag),
    })
}

/// Adds rows to a table, a column for each run; all runs have the same figures.
pub fn rows(table: &mut Table, runs: &[&[Figure]]) {
    let Some(first) = runs.first() else { return };
    for (at, figure) in first.iter().enumerate() {
        if let Some(name) = figure.name {
            let cells: Vec<String> = runs.iter().map(|run| run[at].shown()).collect();
            table.row(name, &cells);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_and_json_tell_the_same() {
        let figures = [
            Figure::new("bytes", "bytes", Value::Count(4096)),
            Figure::new("GB/s", "gb_per_s", Value::Decimal(1.25, 1)),
            Figure::new("in registered buffers", "registered_share", Value::Share(0.5)),
            Figure::field("driver", Value::Text("io_uring".into())),
            Figure::field("pinned", Value::Flag(true)),
        ];
        let line = fields(Line::new("x/1"), &figures).finish();
        let json = r#"{"schema":"x/1","bytes":4096,"gb_per_s":1.25,"registered_share":0.5,"driver":"io_uring","pinned":true}"#;
        assert_eq!(line, json);
        let mut table = Table::default();
        rows(&mut table, &[&figures, &figures]);
        let text = table.finish();
        let row = |name: &str| text.lines().find(|line| line.starts_with(name)).expect(name);
        assert!(row("bytes").ends_with("4,096             4,096"));
        assert!(row("in registered").ends_with("50.0 %            50.0 %"));
        assert!(!text.contains("io_uring"));
    }
}
