//! Walks an XML document and hands out each element when it ends, with its path and text, within
//! limits.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

use super::{XmlError, XmlLimits};

/// An element that has ended.
pub(in crate::s3) struct Leaf<'a> {
    /// The names from the root's child down to this element, without namespace, joined by `/`.
    /// Empty for the root, which is only handed out where it has a text of its own.
    pub path: &'a str,
    /// The text since the last element began or ended, entities resolved, blanks kept.
    pub text: &'a str,
}

/// Reads `body`, whose root element must be `root`, to its end.
pub(in crate::s3) fn walk(
    body: &[u8],
    limits: &XmlLimits,
    root: &'static str,
    visit: impl FnMut(Leaf<'_>) -> Result<(), XmlError>,
) -> Result<(), XmlError> {
    let text = std::str::from_utf8(body).map_err(|error| XmlError::Malformed {
        offset: error.valid_up_to() as u64,
        problem: "it is not UTF-8".to_owned(),
    })?;
    // While an upload is being completed S3 sends blanks, before the document too, to keep the line
    // open.
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let skipped = (body.len() - text.len()) as u64;
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut walker = Walker {
        limits,
        root,
        visit,
        path: String::new(),
        text: String::new(),
        depth: 0,
        ended: false,
    };
    loop {
        let event = reader
            .read_event()
            .map_err(|error| read_error(skipped + reader.buffer_position(), &error))?;
        if matches!(event, Event::Eof) {
            return if walker.ended { Ok(()) } else { Err(XmlError::Truncated) };
        }
        walker.take(event).map_err(|stop| match stop {
            Stop::Error(error) => error,
            Stop::Problem(problem) => malformed(skipped + reader.buffer_position(), problem),
        })?;
    }
}

struct Walker<'a, V> {
    limits: &'a XmlLimits,
    root: &'static str,
    visit: V,
    /// Names below the root, joined by `/`.
    path: String,
    text: String,
    depth: usize,
    ended: bool,
}

/// Why walking stops: an error as it is, or a problem whose place the reader knows.
enum Stop {
    Error(XmlError),
    Problem(&'static str),
}

impl<V: FnMut(Leaf<'_>) -> Result<(), XmlError>> Walker<'_, V> {
    fn take(&mut self, event: Event<'_>) -> Result<(), Stop> {
        match event {
            Event::Start(start) => self.start(start.local_name().as_ref()),
            Event::End(_) => self.end(),
            Event::Text(text) => self.push(&text.xml10_content()),
            Event::CData(text) => self.push(&text.xml10_content()),
            Event::GeneralRef(reference) => self.push_reference(&reference),
            Event::DocType(_) => Err(Stop::Problem("it has a DOCTYPE")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => Ok(()),
            Event::Empty(_) | Event::Eof => unreachable!("expanded by the reader, handled above"),
        }
    }

    fn start(&mut self, name: &str) -> Result<(), Stop> {
        if self.ended {
            return Err(Stop::Problem("it has two roots"));
        }
        if name.is_empty() || name.contains('/') {
            return Err(Stop::Problem("an element has no proper name"));
        }
        if self.depth >= self.limits.depth_max {
            return Err(self.exceeded("depth_max", self.limits.depth_max));
        }
        if self.depth == 0 && name != self.root {
            let found = name.chars().take(100).collect();
            return Err(Stop::Error(XmlError::Root { expected: self.root, found }));
        }
        if self.depth > 0 {
            if self.depth > 1 {
                self.path.push('/');
            }
            self.path.push_str(name);
        }
        self.depth += 1;
        self.text.clear();
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        // The reader has compared the name with that of the start, so the depth is at least one.
        self.depth -= 1;
        if self.depth == 0 {
            self.ended = true;
            if !self.text.trim().is_empty() {
                (self.visit)(Leaf { path: "", text: &self.text }).map_err(Stop::Error)?;
            }
        } else {
            let leaf = Leaf { path: &self.path, text: &self.text };
            (self.visit)(leaf).map_err(Stop::Error)?;
            self.path.truncate(self.path.rfind('/').unwrap_or(0));
        }
        self.text.clear();
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<(), Stop> {
        if self.depth == 0 {
            let blank = text.chars().all(char::is_whitespace);
            return if blank { Ok(()) } else { Err(Stop::Problem("text outside the root")) };
        }
        if self.text.len() + text.len() > self.limits.text_bytes_max {
            return Err(self.exceeded("text_bytes_max", self.limits.text_bytes_max));
        }
        self.text.push_str(text);
        Ok(())
    }

    /// `&amp;` and its four relatives, and `&#10;`; a document has no entities of its own.
    fn push_reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Stop> {
        let character = reference
            .resolve_char_ref()
            .map_err(|_| Stop::Problem("a character reference names no character"))?;
        if let Some(character) = character {
            return self.push(character.encode_utf8(&mut [0; 4]));
        }
        match resolve_xml_entity(reference) {
            Some(text) => self.push(text),
            None => Err(Stop::Problem("it uses an entity that XML does not define")),
        }
    }

    fn exceeded(&self, limit: &'static str, value: usize) -> Stop {
        Stop::Error(XmlError::Limit { limit, value })
    }
}

fn malformed(offset: u64, problem: impl Into<String>) -> XmlError {
    XmlError::Malformed { offset, problem: problem.into() }
}

/// A document that stops inside a tag or a reference is cut short, like one that stops between two.
fn read_error(offset: u64, error: &quick_xml::Error) -> XmlError {
    match error {
        quick_xml::Error::Syntax(_) => XmlError::Truncated,
        _ => malformed(offset, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(text: &str, limits: &XmlLimits) -> Result<Vec<String>, XmlError> {
        let mut seen = Vec::new();
        walk(text.as_bytes(), limits, "r", |leaf| {
            seen.push(format!("{}={}", leaf.path, leaf.text));
            Ok(())
        })?;
        Ok(seen)
    }

    fn problem(text: &str) -> String {
        leaves(text, &XmlLimits::default()).unwrap_err().to_string()
    }

    #[test]
    fn elements_come_with_their_path_and_text() {
        let text =
            "<?xml version=\"1.0\"?><!-- c --><r>x<a> 1 </a><b><c>2&amp;&#51;</c><d/></b></r>\n";
        let seen = leaves(text, &XmlLimits::default()).unwrap();
        assert_eq!(seen, ["a= 1 ", "b/c=2&3", "b/d=", "b="]);
    }

    #[test]
    fn a_root_with_a_text_of_its_own_comes_last_and_without_a_path() {
        let limits = XmlLimits::default();
        assert_eq!(leaves("<r>eu-west-1</r>", &limits).unwrap(), ["=eu-west-1"]);
        assert_eq!(leaves("<r><a>1</a> x</r>", &limits).unwrap(), ["a=1", "= x"]);
    }

    #[test]
    fn hostile_documents_are_refused() {
        for (text, wanted) in [
            ("<!DOCTYPE r [<!ENTITY e \"x\">]><r>&e;</r>", "DOCTYPE"),
            ("<r>&e;</r>", "entity"),
            ("<r>&nbsp;</r>", "entity"),
            ("<r>&#0;</r>", "character reference"),
            ("<r>&#x110000;</r>", "character reference"),
            ("<r><a></b></r>", "expected `</a>`"),
            ("</r>", "not well-formed"),
            ("<r/><r/>", "two roots"),
            ("<r/>x", "outside the root"),
            ("x<r/>", "outside the root"),
            ("<q/>", "expected an XML document <r>, found <q>"),
            ("<r><a/b></a/b></r>", "no proper name"),
        ] {
            assert!(problem(text).contains(wanted), "{text}: {}", problem(text));
        }
    }

    #[test]
    fn depth_and_text_have_limits() {
        let limits = XmlLimits { depth_max: 3, text_bytes_max: 4, ..XmlLimits::default() };
        assert!(leaves("<r><a><b>1234</b></a></r>", &limits).is_ok());
        let deep = Err(XmlError::Limit { limit: "depth_max", value: 3 });
        assert_eq!(leaves("<r><a><b><c/></b></a></r>", &limits), deep);
        let long = Err(XmlError::Limit { limit: "text_bytes_max", value: 4 });
        assert_eq!(leaves("<r><a>12345</a></r>", &limits), long);
        assert_eq!(leaves("<r><a>123&amp;<![CDATA[5]]></a></r>", &limits), long);
    }

    #[test]
    fn a_malformed_document_says_where() {
        let error = leaves(" \n<r><a></b></r>", &XmlLimits::default()).unwrap_err();
        assert!(matches!(error, XmlError::Malformed { offset: 8..=12, .. }), "{error}");
        let error = walk(b"<r>\xff</r>", &XmlLimits::default(), "r", |_| Ok(())).unwrap_err();
        assert!(matches!(error, XmlError::Malformed { offset: 3, .. }), "{error}");
    }

    #[test]
    fn what_the_visitor_refuses_is_the_error() {
        let refuse = |_: Leaf<'_>| Err(XmlError::Missing { element: "x" });
        let result = walk(b"<r><a/></r>", &XmlLimits::default(), "r", refuse);
        assert_eq!(result, Err(XmlError::Missing { element: "x" }));
    }
}
