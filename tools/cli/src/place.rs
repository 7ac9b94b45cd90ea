//! `SRC`, `DST` and the other locations of a command line, before anything is opened.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hydrant::uri::{Uri, parse_location};

use crate::exit::Failure;

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `-`: stdin as a source, stdout as a destination.
    Pipe,
    /// Anything else.
    At(Uri),
}

impl Place {
    /// Reads an argument; `what` is its name in the usage.
    pub fn parse(what: &str, text: &str) -> Result<Place, Failure> {
        match text {
            "-" => Ok(Place::Pipe),
            _ => location(what, text).map(Place::At),
        }
    }
}

/// Reads a location. The text is not repeated in the failure: it may hold a password (SEC-1).
pub fn location(what: &str, text: &str) -> Result<Uri, Failure> {
    parse_location(text).map_err(|error| Failure::Usage(format!("{what}: {error}")))
}

/// Reads a location that names one object.
pub fn object(what: &str, text: &str) -> Result<Uri, Failure> {
    let uri = location(what, text)?;
    // The page at the root of a server is one, too.
    let scheme = uri.scheme();
    let is_nowhere = uri.key().is_empty() && !scheme.is_url();
    match is_nowhere || (scheme.is_path() && uri.ends_with_slash()) {
        true => Err(Failure::Usage(format!("{what}: {uri} names no object but a place for many"))),
        false => Ok(uri),
    }
}

/// Reads a location whose objects are listed: a directory gets its slash.
pub fn prefix(what: &str, text: &str) -> Result<Uri, Failure> {
    let uri = location(what, text)?;
    match is_directory(&uri) && !uri.ends_with_slash() {
        true => uri
            .with_key(&format!("{}/", uri.key()))
            .map_err(|error| Failure::Usage(format!("{what}: {error}"))),
        false => Ok(uri),
    }
}

/// Where a copy of `source` goes: a destination that is a place for many objects takes the source's
/// file name.
pub fn destination_for(source: &Uri, destination: &Uri) -> Result<Uri, Failure> {
    if !destination.ends_with_slash() && !is_directory(destination) {
        return Ok(destination.clone());
    }
    let refused = |why: &str| Failure::Usage(format!("DST is the place {destination}, and {why}"));
    let name = source.file_name().ok_or_else(|| refused("SRC has no file name to use in it"))?;
    // A key becomes a path only beneath the place that was named (SEC-2).
    if destination.scheme().is_path() && matches!(name, "." | "..") {
        return Err(refused("the file name of SRC would lead out of it; name the file"));
    }
    destination.join(name).map_err(|error| refused(&error.to_string()))
}

/// Whether two locations are the same object: files also by device and inode, whatever their paths.
pub fn same_object(one: &Uri, other: &Uri) -> bool {
    if !(one.scheme().is_path() && other.scheme().is_path()) {
        return one == other;
    }
    let identity = |uri: &Uri| fs::metadata(uri.key()).ok().map(|file| (file.dev(), file.ino()));
    match (identity(one), identity(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.key() == other.key(),
    }
}

fn is_directory(uri: &Uri) -> bool {
    uri.scheme().is_path() && Path::new(uri.key()).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        parse_location(text).expect(text)
    }

    fn goes_to(source: &str, destination: &str) -> Option<String> {
        destination_for(&uri(source), &uri(destination)).ok().map(|uri| uri.to_string())
    }

    #[test]
    fn a_dash_is_a_pipe_and_a_path_to_a_dash_is_none() {
        assert_eq!(Place::parse("SRC", "-").ok(), Some(Place::Pipe));
        assert_eq!(Place::parse("SRC", "./-").ok(), Some(Place::At(uri("./-"))));
    }

    #[test]
    fn places_take_the_name_of_the_source() {
        let cases = [
            ("./a/b.bin", "s3://bucket", Some("s3://bucket/b.bin")),
            ("./a/b.bin", "s3://bucket/", Some("s3://bucket/b.bin")),
            ("./a/b.bin", "s3://bucket/x/", Some("s3://bucket/x/b.bin")),
            ("./a/b.bin", "s3://bucket/x", Some("s3://bucket/x")),
            ("s3://bucket/a/b", "/nowhere/", Some("file:///nowhere/b")),
            ("s3://bucket/a/b", "/tmp", Some("file:///tmp/b")),
            ("s3://bucket/a/b", "direct:///tmp", Some("direct:///tmp/b")),
            ("s3://bucket/a/", "/tmp", None),
            ("s3://bucket/a/..", "/tmp", None),
            ("s3://bucket/a/..", "s3://other/", Some("s3://other/..")),
            ("https://host/a/b?c=/d", "s3://bucket/", Some("s3://bucket/b")),
            ("https://host/?c=d", "/tmp", None),
        ];
        for (source, destination, expected) in cases {
            assert_eq!(goes_to(source, destination).as_deref(), expected, "{source} {destination}");
        }
    }

    #[test]
    fn one_object_is_known_by_whatever_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "x").expect("a file");
        let direct = uri(&format!("direct://{}", path.display()));
        let detour = uri(&format!("{}/./a", folder.path().display()));
        assert!(same_object(&direct, &detour));
        assert!(!same_object(&direct, &uri(&format!("{}/b", folder.path().display()))));
        assert!(same_object(&uri("/nowhere/x"), &uri("direct:///nowhere/x")));
        assert!(same_object(&uri("s3://b/k"), &uri("s3://b/k")));
        assert!(!same_object(&uri("s3://b/k"), &uri("s3://b/l")));
    }

    #[test]
    fn objects_and_prefixes() {
        assert!(object("URI", "s3://bucket").is_err());
        assert!(object("URI", "/tmp/").is_err());
        assert!(object("URI", "s3://bucket/folder/").is_ok());
        assert!(object("URI", "https://host").is_ok());
        assert_eq!(prefix("URI", "/tmp").ok(), Some(uri("/tmp/")));
        assert_eq!(prefix("URI", "s3://bucket/tmp").ok(), Some(uri("s3://bucket/tmp")));
    }

    #[test]
    fn what_a_location_lacks_is_told_without_repeating_it() {
        let failure = location("SRC", "s3://user:hunter2@bucket/key").expect_err("user info");
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        assert_eq!(failure.code(), crate::exit::USAGE);
    }
}
