//! The same walk for documents as servers write them: elements without attributes but for the root's namespace, text, and the
//! five entities of XML.
//!
//! It is the short way of long listings. Whatever it does not know it refuses, mistakes among it, and [`super::walk`] reads the
//! document from its beginning: so there is one place that says what is wrong with one.

use memchr::{memchr, memchr2};

use super::walk::Leaf;
use super::{XmlError, XmlLimits};

/// It is none of those documents, or the visitor found a mistake.
#[derive(Debug)]
pub(super) struct NotPlain;

/// Reads `body` as [`super::walk`] does, up to where it differs; `visit` may have seen any part of it by then.
pub(super) fn walk_plain(
    body: &[u8],
    limits: &XmlLimits,
    root: &str,
    mut visit: impl FnMut(Leaf<'_>) -> Result<(), XmlError>,
) -> Result<(), NotPlain> {
    // Line ends would have to be made one of two (XML 1.0, section 2.11).
    if memchr(b'\r', body).is_some() {
        return Err(NotPlain);
    }
    let text = std::str::from_utf8(body).map_err(|_| NotPlain)?;
    let mut rest = after_opening(text, root).ok_or(NotPlain)?;
    let (mut path, mut decoded) = (String::new(), String::new());
    // Elements below the root that are open: where the names of their parents end.
    let mut open = Vec::new();
    loop {
        let (between, tag) = split_at_tag(rest)?;
        if between.text.len() > limits.text_bytes_max {
            return Err(NotPlain);
        }
        if let Some(closing) = tag.strip_prefix('/') {
            let Some(parent) = open.pop() else {
                let after = behind_end(closing, root).ok_or(NotPlain)?;
                let ends = between.text.trim().is_empty() && after.trim().is_empty();
                return if ends { Ok(()) } else { Err(NotPlain) };
            };
            rest = behind_end(closing, path[parent..].trim_start_matches('/')).ok_or(NotPlain)?;
            let text = between.resolved(&mut decoded)?;
            visit(Leaf { path: &path, text }).map_err(|_| NotPlain)?;
            path.truncate(parent);
            continue;
        }
        let (name, behind) = split_name(tag)?;
        if between.has_reference || open.len() + 1 >= limits.depth_max {
            return Err(NotPlain);
        }
        let parent = path.len();
        if parent > 0 {
            path.push('/');
        }
        path.push_str(name);
        // Most hold a text and end.
        let (text, next) = split_at_tag(behind)?;
        let Some(after) = next.strip_prefix('/').and_then(|it| behind_end(it, name)) else {
            open.push(parent);
            rest = behind;
            continue;
        };
        if text.text.len() > limits.text_bytes_max {
            return Err(NotPlain);
        }
        let text = text.resolved(&mut decoded)?;
        visit(Leaf { path: &path, text }).map_err(|_| NotPlain)?;
        path.truncate(parent);
        rest = after;
    }
}

/// The text ahead of a tag.
struct Text<'a> {
    text: &'a str,
    has_reference: bool,
}

/// The text before the next tag, and what follows its `<`.
fn split_at_tag(rest: &str) -> Result<(Text<'_>, &str), NotPlain> {
    let bytes = rest.as_bytes();
    let first = memchr2(b'<', b'&', bytes).ok_or(NotPlain)?;
    let has_reference = bytes[first] == b'&';
    let at = if has_reference { memchr(b'<', bytes).ok_or(NotPlain)? } else { first };
    Ok((Text { text: &rest[..at], has_reference }, &rest[at + 1..]))
}

/// The name of an element without attributes, and what follows its start.
fn split_name(tag: &str) -> Result<(&str, &str), NotPlain> {
    let bytes = tag.as_bytes();
    let at = bytes.iter().position(|byte| !byte.is_ascii_alphanumeric()).ok_or(NotPlain)?;
    match bytes[at] == b'>' && bytes[0].is_ascii_alphabetic() {
        true => Ok((&tag[..at], &tag[at + 1..])),
        false => Err(NotPlain),
    }
}

/// What follows the end of the element of this name, behind its `</`.
fn behind_end<'a>(closing: &'a str, name: &str) -> Option<&'a str> {
    closing.strip_prefix(name)?.strip_prefix('>')
}

/// What follows the start of the root element.
fn after_opening<'a>(text: &'a str, root: &str) -> Option<&'a str> {
    let mut rest = text.trim_start();
    if let Some(declaration) = rest.strip_prefix("<?xml ") {
        rest = declaration[declaration.find("?>")? + 2..].trim_start();
    }
    rest = rest.strip_prefix('<')?.strip_prefix(root)?;
    if let Some(value) = rest.strip_prefix(" xmlns=\"") {
        let end = value.find(['"', '<', '>', '&'])?;
        rest = value[end..].strip_prefix('"')?;
    }
    rest.strip_prefix('>')
}

impl<'a> Text<'a> {
    /// The text with its entities resolved, in `decoded` where it has any.
    fn resolved(&self, decoded: &'a mut String) -> Result<&'a str, NotPlain> {
        if !self.has_reference {
            return Ok(self.text);
        }
        decoded.clear();
        let mut rest = self.text;
        while let Some(at) = memchr(b'&', rest.as_bytes()) {
            decoded.push_str(&rest[..at]);
            let behind = &rest[at + 1..];
            let end = memchr(b';', behind.as_bytes()).ok_or(NotPlain)?;
            decoded.push(match &behind[..end] {
                "quot" | "#34" => '"',
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "apos" | "#39" => '\'',
                _ => return Err(NotPlain),
            });
            rest = &behind[end + 1..];
        }
        decoded.push_str(rest);
        Ok(decoded)
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk;
    use super::*;
    use proptest::prelude::*;

    type Seen = Vec<(String, String)>;

    type Visit<'a> = &'a mut dyn FnMut(Leaf<'_>) -> Result<(), XmlError>;

    fn seen<E>(read: impl FnOnce(Visit<'_>) -> Result<(), E>) -> Option<Seen> {
        let mut seen = Vec::new();
        let read = read(&mut |leaf| {
            seen.push((leaf.path.to_owned(), leaf.text.to_owned()));
            Ok(())
        });
        read.ok().map(|()| seen)
    }

    fn plain(text: &str, limits: &XmlLimits) -> Option<Seen> {
        seen(|visit| walk_plain(text.as_bytes(), limits, "r", visit))
    }

    fn whole(text: &str, limits: &XmlLimits) -> Option<Seen> {
        seen(|visit| walk(text.as_bytes(), limits, "r", visit))
    }

    #[test]
    fn documents_of_servers_are_read() {
        for (text, leaves) in [
            ("<r></r>", vec![]),
            (
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<r xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <Is>true</Is> <C><K>a/&amp;b</K><E>&quot;x&#34;</E>\n</C>\n</r>\n",
                vec![("Is", "true"), ("C/K", "a/&b"), ("C/E", "\"x\""), ("C", "\n")],
            ),
            ("<r><a>é > ]]></a><a></a></r>", vec![("a", "é > ]]>"), ("a", "")]),
            ("<r><ab><b></b></ab></r>", vec![("ab/b", ""), ("ab", "")]),
        ] {
            let owned: Seen = leaves.iter().map(|&(p, t)| (p.to_owned(), t.to_owned())).collect();
            let limits = XmlLimits::default();
            assert_eq!(plain(text, &limits), Some(owned), "{text}");
            assert_eq!(whole(text, &limits), plain(text, &limits), "{text}");
        }
    }

    #[test]
    fn whatever_else_there_is_is_left_to_the_library() {
        for text in [
            "",
            "<r>",
            "<r/>",
            "<r><a/></r>",
            "<r><a></b></r>",
            "<r><ab></b></r>",
            "<r><a></r>",
            "</r>",
            "<r></a></r>",
            "<r></r>x",
            "<r></r><r></r>",
            "<r>x</r>",
            "<r><a x=\"1\"></a></r>",
            "<r><s:a></s:a></r>",
            "<r><!-- --></r>",
            "<r><![CDATA[x]]></r>",
            "<r><?x?></r>",
            "<!DOCTYPE r><r></r>",
            "<r><a>&e;</a></r>",
            "<r><a>&#0;</a></r>",
            "<r><a>&amp</a></r>",
            "<r><a>\r\n</a></r>",
            "<r xmlns='x'></r>",
            "<r xmlns=\"x\" a=\"b\"></r>",
            "<rr></rr>",
            "<q></q>",
            "<r><a b></a b></r>",
            "<r><a></a ></r>",
            "<r><></></r>",
        ] {
            assert_eq!(plain(text, &XmlLimits::default()), None, "{text}");
        }
        let limits = XmlLimits { depth_max: 3, text_bytes_max: 4, ..XmlLimits::default() };
        assert!(plain("<r><a><b>1234</b></a></r>", &limits).is_some());
        assert_eq!(plain("<r><a><b><c></c></b></a></r>", &limits), None);
        assert_eq!(plain("<r><a>12345</a></r>", &limits), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn what_is_read_is_what_the_library_reads(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "<a>", "</a>", "<b>", "</b>", "<ab>", "</ab>", "x", " ", "\n", "&amp;", "&quot;", "&#39;", "&", ";", "<", ">", "/",
                "]]>", "é", "\r", "\u{0}", "</r>", "=\"", "<a>x</a>", "<b><a>1</a> </b>",
            ]), 0..24),
            before in prop::sample::select(vec!["", " ", "<?xml version=\"1.0\"?>", "<?xml ?>"]),
            root in prop::sample::select(vec!["<r>", "<r xmlns=\"u\">", "<r xmlns=\"\">"]),
        ) {
            let limits = XmlLimits { depth_max: 4, text_bytes_max: 8, ..XmlLimits::default() };
            let text = format!("{before}{root}{}</r>", pieces.concat());
            if let Some(seen) = plain(&text, &limits) {
                prop_assert_eq!(whole(&text, &limits), Some(seen), "{}", text);
            }
        }
    }
}
