//! The same walk for documents as servers write them: elements without attributes but for the root's namespace, text, and the
//! five entities of XML.
//!
//! It is the short way of long listings. Whatever it does not know it refuses, mistakes among it, and [`super::walk`] reads the
//! document from its beginning: so there is one place that says what is wrong with one.

use memchr::memchr;

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
    // Elements below the root that are open.
    let mut depth = 0;
    loop {
        let (between, tag) = split_at_byte(rest, b'<')?;
        if between.len() > limits.text_bytes_max {
            return Err(NotPlain);
        }
        if let Some(closing) = tag.strip_prefix('/') {
            if depth == 0 {
                let after = behind_end(closing, root).ok_or(NotPlain)?;
                let ends = between.trim().is_empty() && after.trim().is_empty();
                return if ends { Ok(()) } else { Err(NotPlain) };
            }
            rest = behind_end(closing, last_name(&path)).ok_or(NotPlain)?;
            visit(Leaf { path: &path, text: resolved(between, &mut decoded)? })
                .map_err(|_| NotPlain)?;
            leave(&mut path);
            depth -= 1;
            continue;
        }
        let (name, behind) = split_at_byte(tag, b'>')?;
        let has_reference = memchr(b'&', between.as_bytes()).is_some();
        if has_reference || !is_plain_name(name) || depth + 1 >= limits.depth_max {
            return Err(NotPlain);
        }
        if depth > 0 {
            path.push('/');
        }
        path.push_str(name);
        // Most hold a text and end.
        let (text, next) = split_at_byte(behind, b'<')?;
        let Some(after) = next.strip_prefix('/').and_then(|it| behind_end(it, name)) else {
            (rest, depth) = (behind, depth + 1);
            continue;
        };
        if text.len() > limits.text_bytes_max {
            return Err(NotPlain);
        }
        visit(Leaf { path: &path, text: resolved(text, &mut decoded)? }).map_err(|_| NotPlain)?;
        leave(&mut path);
        rest = after;
    }
}

/// What follows the end of the element of this name, behind its `</`.
fn behind_end<'a>(closing: &'a str, name: &str) -> Option<&'a str> {
    closing.strip_prefix(name)?.strip_prefix('>')
}

fn last_name(path: &str) -> &str {
    &path[path.rfind('/').map_or(0, |slash| slash + 1)..]
}

fn leave(path: &mut String) {
    path.truncate(path.rfind('/').unwrap_or(0));
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

/// What is before and behind the first such byte, which is ASCII.
fn split_at_byte(text: &str, byte: u8) -> Result<(&str, &str), NotPlain> {
    let at = memchr(byte, text.as_bytes()).ok_or(NotPlain)?;
    Ok((&text[..at], &text[at + 1..]))
}

fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric())
}

/// The text with its entities resolved, in `decoded` where it has any.
fn resolved<'a>(text: &'a str, decoded: &'a mut String) -> Result<&'a str, NotPlain> {
    let Some(mut at) = memchr(b'&', text.as_bytes()) else { return Ok(text) };
    decoded.clear();
    let mut rest = text;
    loop {
        decoded.push_str(&rest[..at]);
        let (entity, behind) = split_at_byte(&rest[at + 1..], b';')?;
        decoded.push(match entity {
            "quot" | "#34" => '"',
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "apos" | "#39" => '\'',
            _ => return Err(NotPlain),
        });
        rest = behind;
        match memchr(b'&', rest.as_bytes()) {
            Some(next) => at = next,
            None => break,
        }
    }
    decoded.push_str(rest);
    Ok(decoded)
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
