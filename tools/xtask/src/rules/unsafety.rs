//! `unsafe` stays in few rooms, and some crates forbid it outright.

use std::path::Path;

use super::judge;
use super::sources::{Source, read_all};
use crate::failure::Result;
use crate::steps::Outcome;

/// Where `unsafe` may stand. clippy sees to the `SAFETY` comments.
const ROOMS: &[&str] = &[
    "engine/src/ring/",
    "engine/src/op/",
    "engine/src/pool/",
    "ffi/",
    "benches/floor/",
    // Reads freed memory on purpose: the sanitizer must notice.
    "tools/xtask/canary/",
];

/// Crate roots that must say `#![forbid(unsafe_code)]`.
const FORBIDDING: &[&str] = &[
    "backends/src/lib.rs",
    "tools/server/src/lib.rs",
    "tools/cli/src/main.rs",
    "tools/xtask/src/main.rs",
];

/// Reads all sources.
pub fn check(root: &Path) -> Result<Outcome> {
    judge(&violations(&read_all(root)?))
}

fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let outside = |source: &&Source| {
        !source.is_test() && !ROOMS.iter().any(|room| source.path.starts_with(room))
    };
    for source in sources.iter().filter(outside) {
        let lines = source.mentions("unsafe").into_iter();
        found.extend(lines.map(|line| format!("{}:{line}: unsafe outside its rooms", source.path)));
    }
    for root in FORBIDDING {
        let forbids = |source: &Source| {
            source.path == *root && source.code.contains("#![forbid(unsafe_code)]")
        };
        if !sources.iter().any(forbids) {
            found.push(format!("{root} does not say #![forbid(unsafe_code)]"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(extra: &[(&str, &str)]) -> Vec<Source> {
        let roots = FORBIDDING.iter().map(|path| Source::new(*path, "#![forbid(unsafe_code)]"));
        roots.chain(extra.iter().map(|(path, text)| Source::new(*path, text))).collect()
    }

    #[test]
    fn unsafe_in_its_rooms_and_in_tests_passes() {
        let sources = house(&[
            ("engine/src/ring/uring.rs", "unsafe { push() }"),
            ("ffi/src/lib.rs", "pub unsafe extern \"C\" fn f() {}"),
            ("tests/crash.rs", "unsafe { libc::kill(1, 9) }"),
            (
                "engine/src/net/mod.rs",
                "// unsafe\n#[cfg(test)]\nmod tests { fn f() { unsafe { g() } } }",
            ),
        ]);
        assert!(violations(&sources).is_empty(), "{:?}", violations(&sources));
    }

    #[test]
    fn unsafe_elsewhere_fails_with_its_line() {
        let sources = house(&[("engine/src/net/tcp.rs", "fn f() {\n    unsafe { g() }\n}")]);
        assert_eq!(violations(&sources), ["engine/src/net/tcp.rs:2: unsafe outside its rooms"]);
    }

    #[test]
    fn a_root_that_does_not_forbid_or_only_says_so_in_a_comment_fails() {
        let mut sources = house(&[]);
        sources[0] = Source::new(FORBIDDING[0], "// #![forbid(unsafe_code)]");
        assert_eq!(
            violations(&sources),
            ["backends/src/lib.rs does not say #![forbid(unsafe_code)]"]
        );
    }
}
