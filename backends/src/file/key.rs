//! Which keys can be paths, and the names of temporaries.

use crate::checksum::Crc64;
use crate::error::{ErrorKind, Result};

/// Bytes of one name in a path (`NAME_MAX`, the same in all of Linux's file systems).
const NAME_BYTES_MAX: usize = 255;

/// Bytes of a path (`PATH_MAX` less its NUL).
const PATH_BYTES_MAX: usize = 4095;

/// What stands between the name of an object and the random digits of its temporary.
const TEMPORARY_MARK: &str = ".hydrant-";

/// How temporaries end.
const TEMPORARY_END: &str = ".tmp";

/// How journals of kept temporaries end.
const JOURNAL_END: &str = ".jnl";

/// Hexadecimal digits in the name of a temporary.
const TEMPORARY_DIGITS: usize = 16;

/// Checks that a key can be the path of a file.
///
/// Beneath a root each file has one key only: no empty part, no `.` and no `..`. As typed, whatever
/// the kernel takes is taken.
///
/// # Errors
/// `InvalidInput` that says what is wrong with it.
pub(super) fn check(key: &str, rooted: bool) -> Result<()> {
    let (directory, name) = split(key);
    let problem = match name {
        _ if key.is_empty() => Some("it is empty".to_owned()),
        "" => Some("it ends in '/', so it names a directory".to_owned()),
        "." | ".." => Some(format!("it ends in {name:?}, so it names a directory")),
        _ => check_parts(key).or_else(|| rooted.then(|| check_beneath(directory)).flatten()),
    };
    match problem {
        Some(problem) => refuse(key, &problem),
        None => Ok(()),
    }
}

/// Checks that the directory part of a prefix, with its `/`, can be opened.
///
/// # Errors
/// As [`check`].
pub(super) fn check_directory(directory: &str, rooted: bool) -> Result<()> {
    match check_parts(directory).or_else(|| rooted.then(|| check_beneath(directory)).flatten()) {
        Some(problem) => refuse(directory, &problem),
        None => Ok(()),
    }
}

/// What stands up to and with the last `/`, and the name behind it.
pub(super) fn split(key: &str) -> (&str, &str) {
    key.split_at(key.rfind('/').map_or(0, |slash| slash + 1))
}

/// The name under which an object called `name` is written before it is whole.
pub(super) fn temporary_name(name: &str, random: u64) -> String {
    let added = 1 + TEMPORARY_MARK.len() + TEMPORARY_DIGITS + TEMPORARY_END.len();
    let kept = &name[..name.floor_char_boundary(NAME_BYTES_MAX - added)];
    format!(".{kept}{TEMPORARY_MARK}{random:016x}{TEMPORARY_END}")
}

/// The names of a temporary that is kept to be carried on, and of its journal: the same each time.
pub(super) fn kept_names(name: &str) -> (String, String) {
    let temporary = temporary_name(name, Crc64::of(name.as_bytes()).0);
    let journal = format!("{}{JOURNAL_END}", temporary.trim_end_matches(TEMPORARY_END));
    (temporary, journal)
}

/// Whether a file of this name is a temporary or the journal of one, which are no objects.
pub(super) fn is_temporary(name: &str) -> bool {
    let end = |name: &'_ str| {
        let cut = name.len() - TEMPORARY_END.len().min(name.len());
        matches!(name.get(cut..), Some(TEMPORARY_END | JOURNAL_END)).then_some(cut)
    };
    let inner = name.strip_prefix('.').and_then(|name| Some(&name[..end(name)?]));
    let Some((_, digits)) = inner.and_then(|inner| inner.rsplit_once(TEMPORARY_MARK)) else {
        return false;
    };
    digits.len() == TEMPORARY_DIGITS
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn check_parts(path: &str) -> Option<String> {
    if path.len() > PATH_BYTES_MAX {
        return Some(format!("it has {} bytes, and paths end at {PATH_BYTES_MAX}", path.len()));
    }
    if path.contains('\0') {
        return Some("it contains a NUL byte".into());
    }
    let long = path.split('/').map(str::len).find(|bytes| *bytes > NAME_BYTES_MAX)?;
    Some(format!("a name in it has {long} bytes, and names end at {NAME_BYTES_MAX}"))
}

/// `directory` ends in `/` or is empty.
fn check_beneath(directory: &str) -> Option<String> {
    let parts = directory.strip_suffix('/')?;
    let odd = parts.split('/').find(|part| matches!(*part, "" | "." | ".."))?;
    Some(match odd {
        "" => "it begins with '/' or contains '//'".into(),
        odd => format!("it contains {odd:?}, and it has to stay beneath the root of the store"),
    })
}

fn refuse(key: &str, problem: &str) -> Result<()> {
    let shown: String = key.chars().take(100).collect();
    let text = format!("the key {shown:?} cannot be a file: {problem}");
    Err(ErrorKind::InvalidInput(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_cannot_be_files_are_refused_by_name() {
        let long = format!("a/{}", "x".repeat(256));
        let deep = "d/".repeat(2048) + "x";
        let always = ["", "/", "a/", "a/.", "..", "a/..", "a\0b", "a\0/b", &long, &deep];
        let beneath_a_root = ["/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/./b", "//x"];
        for key in always {
            assert!(check(key, false).is_err(), "{key:?} typed");
            assert!(check(key, true).is_err(), "{key:?} beneath a root");
        }
        for key in beneath_a_root {
            assert!(check(key, false).is_ok(), "{key:?} typed");
            assert!(check(key, true).is_err(), "{key:?} beneath a root");
        }
        for key in ["a", "a/b", "...", "a/..b", ".a", "ä/😀", &long[..257], "a b\n"] {
            assert!(check(key, false).is_ok() && check(key, true).is_ok(), "{key:?}");
        }
    }

    #[test]
    fn a_temporary_is_known_by_its_name_and_fits_a_directory() {
        for name in ["a", ".hidden", "x".repeat(255).as_str(), "😀".repeat(63).as_str()] {
            let temporary = temporary_name(name, 0xabc);
            assert!(is_temporary(&temporary), "{temporary}");
            assert!(temporary.len() <= NAME_BYTES_MAX, "{} bytes", temporary.len());
            let (kept, journal) = kept_names(name);
            assert!(is_temporary(&kept) && is_temporary(&journal), "{kept} {journal}");
            assert!(journal.len() <= NAME_BYTES_MAX && kept != journal, "{journal}");
            assert_eq!((kept, journal), kept_names(name), "the same each time");
        }
        for name in [
            "a",
            ".a.tmp",
            ".a.hydrant-.tmp",
            ".a.hydrant-0123456789ABCDEF.tmp",
            "a.hydrant-0123456789abcdef.tmp",
            ".a.hydrant-0123456789abcdef0.tmp",
            ".a.hydrant-0123456789abcdef",
        ] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
