//! The Rust files of the workspace.

use std::fs;
use std::path::Path;

use super::code::{blank_comments_and_strings, blank_test_modules};
use crate::failure::{Failure, Result};

/// One file, as the rules see it.
pub struct Source {
    /// From the root of the workspace, with `/`.
    pub path: String,
    /// Its text with comments, strings and test modules blanked out; lines stay where they were.
    pub code: String,
}

impl Source {
    pub fn new(path: impl Into<String>, text: &str) -> Self {
        Self { path: path.into(), code: blank_test_modules(&blank_comments_and_strings(text)) }
    }

    /// Whether the whole file is a test: in a folder `tests`, or the `tests.rs` of a module.
    pub fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// The lines, counted from 1, on which `path` (an identifier, or several joined by `::`) stands
    /// as a whole.
    pub fn mentions(&self, path: &str) -> Vec<usize> {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let stands_in = |line: &str| {
            line.match_indices(path).any(|(start, _)| {
                let (before, after) = (&line[..start], &line[start + path.len()..]);
                !before.ends_with(in_word) && !after.starts_with(in_word)
            })
        };
        self.code
            .lines()
            .enumerate()
            .filter(|(_, line)| stands_in(line))
            .map(|(index, _)| index + 1)
            .collect()
    }
}

/// All Rust files under the root, but what cargo builds and what starts with a dot.
pub fn read_all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    collect(root, root, &mut sources)?;
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    let unreadable = |cause| Failure::io(folder.display(), cause);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            collect(root, &path, sources)?;
        } else if kind.is_file() && name.ends_with(".rs") {
            let text =
                fs::read_to_string(&path).map_err(|cause| Failure::io(path.display(), cause))?;
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            sources.push(Source::new(relative, &text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_whole_and_with_its_line() {
        let source = Source::new(
            "x.rs",
            "// unsafe\n#![forbid(unsafe_code)]\nlet s = \"unsafe\";\nunsafe { f() }\n",
        );
        assert_eq!(source.mentions("unsafe"), [4]);
        assert_eq!(Source::new("x.rs", "a::Instant::now()").mentions("Instant::now"), [1]);
        assert_eq!(Source::new("x.rs", "MyInstant::nowhere()").mentions("Instant::now"), []);
    }

    #[test]
    fn test_files_are_known_by_their_place() {
        assert!(Source::new("tests/crash.rs", "").is_test());
        assert!(Source::new("engine/src/pool/tests.rs", "").is_test());
        assert!(!Source::new("engine/src/contests.rs", "").is_test());
    }
}
