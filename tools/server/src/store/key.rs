//! Keys as names of files, and back (SEC-2).
//!
//! A key is split at `/`; each component is a directory, the last one a file. An ordinary component is its own
//! name. These are not, and get a name that starts with the mark `%`:
//!
//! | component | name | why |
//! |---|---|---|
//! | empty | `%e` | `a//b`, `/a` and `a/` are keys of their own |
//! | `.` | `%d` | it would be the directory itself |
//! | `..` | `%dd` | it would leave it |
//! | `%rest` | `%prest` | the mark is taken |
//! | 200 bytes or more | directory `%l` + the first 200 bytes, then the rest as a further name | names end at 255 bytes |
//! | a file where a directory of its name exists | `%o` + its name | `a` and `a/b` are both keys |
//!
//! All but the last follow from the key alone. The split of long components happens at every length from 200 on,
//! so that all components with the same first 200 bytes are in one directory: a listing can then take the tree in
//! order (see `listing`). A file whose name is not what its key would be called is no object.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::StoreError;

const MARK: u8 = b'%';
const LONG_BYTES: usize = 200;

/// Longest key in bytes, as S3 has it.
const KEY_BYTES_MAX: usize = 1024;

/// Where an object belongs inside its bucket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ObjectPath {
    /// The directories, outermost first.
    pub dirs: Vec<OsString>,
    /// The file, unless a directory of this name is there: then it is [`displaced`].
    pub leaf: OsString,
}

impl ObjectPath {
    pub(crate) fn from_key(key: &str) -> Result<Self, StoreError> {
        let invalid = |reason| Err(StoreError::InvalidKey { reason });
        match key {
            "" => return invalid("it is empty"),
            _ if key.len() > KEY_BYTES_MAX => return invalid("it is longer than 1024 bytes"),
            _ if key.contains('\0') => return invalid("it contains a zero byte"),
            _ => {}
        }
        let mut names = Vec::new();
        for component in key.split('/') {
            encode_component(component.as_bytes(), &mut names);
        }
        let leaf = names.pop().unwrap_or_default();
        Ok(Self { dirs: names, leaf })
    }
}

/// The name of an object's file when its own name is taken by a directory.
pub(crate) fn displaced(leaf: &OsStr) -> OsString {
    marked(b"o", leaf.as_bytes())
}

/// What the name of a directory says of the keys below it: the bytes that they have in this place.
/// `None` if no key leads there.
pub(crate) fn decode_dir(name: &[u8]) -> Option<Vec<u8>> {
    if let Some(long) = name.strip_prefix(b"%l") {
        return (long.len() == LONG_BYTES).then(|| long.to_vec());
    }
    let mut component = decode_name(name)?;
    component.push(b'/');
    Some(component)
}

/// What the name of a file says of its key: its last bytes. `None` if it is no object's name.
pub(crate) fn decode_leaf(name: &[u8]) -> Option<Vec<u8>> {
    decode_name(name.strip_prefix(b"%o").unwrap_or(name))
}

fn encode_component(mut component: &[u8], names: &mut Vec<OsString>) {
    while let Some((long, rest)) = component.split_at_checked(LONG_BYTES) {
        names.push(marked(b"l", long));
        component = rest;
    }
    names.push(match component {
        b"" => "%e".into(),
        b"." => "%d".into(),
        b".." => "%dd".into(),
        [MARK, rest @ ..] => marked(b"p", rest),
        plain => OsStr::from_bytes(plain).to_owned(),
    });
}

fn decode_name(name: &[u8]) -> Option<Vec<u8>> {
    let component = match name {
        b"%e" => vec![],
        b"%d" => b".".to_vec(),
        b"%dd" => b"..".to_vec(),
        [MARK, b'p', rest @ ..] => [&[MARK], rest].concat(),
        [MARK, ..] | b"." | b".." | b"" => return None,
        plain => plain.to_vec(),
    };
    (component.len() < LONG_BYTES).then_some(component)
}

fn marked(kind: &[u8], name: &[u8]) -> OsString {
    OsString::from_vec([&[MARK], kind, name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(key: &str) -> String {
        let path = ObjectPath::from_key(key).unwrap();
        path.dirs
            .iter()
            .chain([&path.leaf])
            .map(|n| n.to_str().unwrap())
            .collect::<Vec<_>>()
            .join("/")
    }

    fn key_of(path: &ObjectPath) -> Vec<u8> {
        let mut key: Vec<u8> =
            path.dirs.iter().flat_map(|n| decode_dir(n.as_bytes()).unwrap()).collect();
        key.extend(decode_leaf(path.leaf.as_bytes()).unwrap());
        key
    }

    #[test]
    fn ordinary_keys_stay_as_they_are() {
        assert_eq!(path_of("a/b/c.txt"), "a/b/c.txt");
        assert_eq!(path_of("ä ö/%20 is fine inside/x%"), "ä ö/%p20 is fine inside/x%");
    }

    #[test]
    fn names_that_would_lead_astray_are_escaped_sec_2() {
        assert_eq!(path_of("../../etc/passwd"), "%dd/%dd/etc/passwd");
        assert_eq!(path_of("/a//b/"), "%e/a/%e/b/%e");
        assert_eq!(path_of("."), "%d");
        assert_eq!(path_of("..."), "...");
    }

    #[test]
    fn every_key_comes_back_and_no_name_is_too_long_or_dangerous() {
        let long = "é".repeat(512);
        let slashes = "/".repeat(1024);
        let edge = "x".repeat(199) + "/" + &"x".repeat(200) + "/" + &"x".repeat(201);
        for key in [
            "a", "/", "//", "..", "../..", "a/../b", "%", "%o", "%ox", "%e", "%l", &long, &slashes,
            &edge,
        ] {
            let path = ObjectPath::from_key(key).unwrap();
            assert_eq!(key_of(&path), key.as_bytes(), "{key}");
            for name in path.dirs.iter().chain([&path.leaf]) {
                let bytes = name.as_bytes();
                assert!(
                    !bytes.is_empty() && bytes.len() <= 253 && !bytes.contains(&b'/'),
                    "{name:?}"
                );
                assert!(bytes != b"." && bytes != b"..", "{name:?}");
            }
        }
    }

    #[test]
    fn a_displaced_file_has_the_same_key() {
        for key in ["a", "%", "..", "/"] {
            let leaf = ObjectPath::from_key(key).unwrap().leaf;
            let moved = displaced(&leaf);
            assert_eq!(decode_leaf(moved.as_bytes()), decode_leaf(leaf.as_bytes()));
            assert_eq!(decode_dir(moved.as_bytes()), None);
        }
    }

    #[test]
    fn keys_that_no_file_can_have_are_refused() {
        for key in ["", "a\0b", &"x".repeat(1025)] {
            assert!(ObjectPath::from_key(key).is_err());
        }
    }
}
