//! Rust text with everything blanked out that is not code that ships. Only as much of the grammar
//! as that takes: comments, strings, characters, and the braces of a module.

/// Replaces comments, strings and characters by blanks. Line feeds stay, so line numbers do.
pub fn blank_comments_and_strings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            quoted(rest, '"')
        } else if !in_word && raw_string(rest) > 0 {
            raw_string(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..skipped].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    out
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// From the opening quote to behind the closing one; a backslash takes the next character with it.
fn quoted(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`, `br#"…"#`; 0 when it is something else.
fn raw_string(text: &str) -> usize {
    let prefix = if text.starts_with("br") || text.starts_with("cr") {
        2
    } else {
        usize::from(text.starts_with('r'))
    };
    let hashes = text[prefix..].bytes().take_while(|&byte| byte == b'#').count();
    let opening = prefix + hashes + 1;
    if prefix == 0 || text.as_bytes().get(opening - 1) != Some(&b'"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    text[opening..].find(&closing).map_or(text.len(), |at| opening + at + closing.len())
}

/// `'a'`, `'\n'`, `'\u{1F}'`; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut following = text.chars().skip(1);
    match (following.next(), following.next()) {
        (Some('\\'), _) => quoted(text, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// Blanks out `#[cfg(test)] mod name { … }` in text whose strings and comments are gone.
pub fn blank_test_modules(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let (mut out, mut rest) = (String::with_capacity(code.len()), code);
    while let Some(start) = rest.find(MARK) {
        let end = start + module_end(&rest[start..], MARK.len());
        out.push_str(&rest[..start]);
        out.extend(rest[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Where the module ends that starts behind `mark_bytes`; the mark's own end when a module in
/// another file, or something that is no module, follows.
fn module_end(code: &str, mark_bytes: usize) -> usize {
    let item = &code[mark_bytes..];
    let (Some(open), semicolon) = (item.find('{'), item.find(';')) else { return mark_bytes };
    if !item.trim_start().starts_with("mod ") || semicolon.is_some_and(|at| at < open) {
        return mark_bytes;
    }
    let mut depth = 0;
    for (at, c) in item[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return mark_bytes + open + at + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_and_code_stays() {
        let cases = [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("f(\"x\\\"y\") + 1", "f(      ) + 1"),
            ("r#\"a\"b\"# c", "         c"),
            ("br\"a\" c", "      c"),
            ("'\\'' 'x' 'static", "         'static"),
            ("for_r\"x\"", "for_r   "),
            ("&'a str, '\"', b", "&'a str,    , b"),
        ];
        for (text, expected) in cases {
            assert_eq!(blank_comments_and_strings(text), expected, "{text}");
        }
    }

    #[test]
    fn line_feeds_stay_where_they_are() {
        let text = "\"a\nb\" /* c\n d */ e\n// f\n";
        assert_eq!(
            blank_comments_and_strings(text).matches('\n').count(),
            text.matches('\n').count()
        );
    }

    #[test]
    fn test_modules_go_and_what_follows_stays() {
        let code = "a();\n#[cfg(test)]\nmod tests { fn t() { fs(); } }\nb();";
        let blanked = blank_test_modules(code);
        assert!(!blanked.contains("fs"));
        assert!(blanked.contains("a();") && blanked.ends_with("\nb();"));
        let outside = "#[cfg(test)]\nmod tests;\nfn f() { fs() }";
        assert!(blank_test_modules(outside).contains("fs()"));
        let function = "#[cfg(test)]\nfn f() { fs() }";
        assert!(blank_test_modules(function).contains("fs()"));
    }
}
