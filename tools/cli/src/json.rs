//! One line of JSON an object, for programs that read the output.

use std::fmt::Write;

/// A line that is being written. Its first field names the schema, so that a reader can tell what
/// a later version has changed.
#[derive(Debug)]
pub struct Line(String);

impl Line {
    /// A line of the schema, such as `hydrant.ls/1`.
    pub fn new(schema: &str) -> Line {
        Line(String::from("{")).text("schema", schema)
    }

    /// A field of text.
    pub fn text(mut self, name: &str, value: &str) -> Line {
        self.name(name);
        quote(&mut self.0, value);
        self
    }

    /// A field of text, or none.
    pub fn maybe(self, name: &str, value: Option<&str>) -> Line {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A field with a number.
    pub fn number(mut self, name: &str, value: u64) -> Line {
        self.name(name);
        self.0.push_str(&value.to_string());
        self
    }

    /// A field with a measured number. What is no finite number has no place in JSON (RFC 8259,
    /// section 6) and becomes null.
    pub fn decimal(mut self, name: &str, value: f64) -> Line {
        self.name(name);
        match value.is_finite() {
            true => write!(self.0, "{value}").expect("a string takes all"),
            false => self.0.push_str("null"),
        }
        self
    }

    /// A field that is true or false.
    pub fn flag(mut self, name: &str, value: bool) -> Line {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    /// A field with an object of fields, which `fill` adds.
    pub fn object(mut self, name: &str, fill: impl FnOnce(Line) -> Line) -> Line {
        self.name(name);
        let inner = fill(Line(String::from("{"))).finish();
        self.0.push_str(&inner);
        self
    }

    /// The line, without a line feed.
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(&mut self.0, name);
        self.0.push(':');
    }
}

/// RFC 8259, section 7: quotation mark, backslash and what lies below U+0020 are escaped.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\u{0}'..='\u{1f}' => {
                write!(out, "\\u{:04x}", u32::from(character)).expect("a string takes all");
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_schema_first() {
        let line = Line::new("x/1").number("n", 7).maybe("none", None).text("k", "v").finish();
        assert_eq!(line, r#"{"schema":"x/1","n":7,"k":"v"}"#);
    }

    #[test]
    fn measured_numbers_flags_and_objects_are_json() {
        let line = Line::new("x/1").decimal("a", 0.25).decimal("b", f64::NAN).decimal("c", 3.0);
        let line = line.object("o", |line| line.flag("t", true).flag("f", false)).number("n", 1);
        let text = r#"{"schema":"x/1","a":0.25,"b":null,"c":3,"o":{"t":true,"f":false},"n":1}"#;
        assert_eq!(line.finish(), text);
    }

    #[test]
    fn keys_with_anything_in_them_stay_json() {
        let line = Line::new("x/1").text("k", "a\"b\\c\nd\u{1}é😀").finish();
        assert_eq!(line, "{\"schema\":\"x/1\",\"k\":\"a\\\"b\\\\c\\nd\\u0001é😀\"}");
    }
}
