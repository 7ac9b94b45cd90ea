//! Writing the documents that go with requests.

use crate::s3::encode::ByteSink;

/// Writes `<name>text</name>`.
pub(in crate::s3) fn write_element(name: &str, text: &str, sink: &mut impl ByteSink) {
    for piece in ["<", name, ">"] {
        sink.put(piece.as_bytes());
    }
    write_escaped(text, sink);
    for piece in ["</", name, ">"] {
        sink.put(piece.as_bytes());
    }
}

/// Whether XML 1.0 can carry a text at all: most control characters it cannot, not even escaped
/// (section 2.2).
pub(in crate::s3) fn can_be_written(text: &str) -> bool {
    let allowed = |character: char| match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        character => character >= ' ',
    };
    text.chars().all(allowed)
}

/// Line ends and tabs are written as references: a reader turns a bare CR into LF (section 2.11).
fn write_escaped(text: &str, sink: &mut impl ByteSink) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| escape(byte).is_some()) {
        sink.put(&rest[..at]);
        sink.put(escape(rest[at]).unwrap_or_default());
        rest = &rest[at + 1..];
    }
    sink.put(rest);
}

fn escape(byte: u8) -> Option<&'static [u8]> {
    Some(match byte {
        b'&' => b"&amp;",
        b'<' => b"&lt;",
        b'>' => b"&gt;",
        b'"' => b"&quot;",
        b'\t' => b"&#9;",
        b'\n' => b"&#10;",
        b'\r' => b"&#13;",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::xml::{XmlLimits, walk};
    use proptest::prelude::*;

    #[test]
    fn markup_and_line_ends_are_escaped() {
        let mut out = Vec::new();
        write_element("Key", "<a href=\"&\">\r\n\té", &mut out);
        let wanted = "<Key>&lt;a href=&quot;&amp;&quot;&gt;&#13;&#10;&#9;é</Key>";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
        assert!(can_be_written("a\r\n\t\u{7f}\u{85}\u{1f600}"));
        for cannot in ["\0", "\u{1}", "\u{1f}", "\u{ffff}"] {
            assert!(!can_be_written(cannot), "{cannot:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in any::<String>().prop_filter("XML", |it| can_be_written(it))) {
            let mut out = b"<r>".to_vec();
            write_element("e", &text, &mut out);
            out.extend_from_slice(b"</r>");
            let mut read = None;
            walk(&out, &XmlLimits::default(), "r", |leaf| {
                read = Some(leaf.text.to_owned());
                Ok(())
            }).unwrap();
            prop_assert_eq!(read, Some(text));
        }
    }
}
