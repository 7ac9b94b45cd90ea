//! What is read, what survives, what is refused.

use super::*;
use proptest::prelude::*;

/// Scheme, server, container, key.
fn parts(text: &str) -> (Scheme, Option<String>, String, String) {
    let uri = parse_location(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let server = uri.authority().map(ToString::to_string);
    (uri.scheme(), server, uri.container().to_owned(), uri.key().to_owned())
}

#[test]
fn stores() {
    use Scheme::{Mem, S3};
    let table = [
        ("s3://b/k", S3, None, "b", "k"),
        ("s3://b", S3, None, "b", ""),
        ("s3://b/", S3, None, "b", ""),
        ("S3://Bucket_1.x/K", S3, None, "Bucket_1.x", "K"),
        ("s3://127.0.0.1:9000/b/k/l", S3, Some("127.0.0.1:9000"), "b", "k/l"),
        ("s3://host:1/b", S3, Some("host:1"), "b", ""),
        ("s3://[::1]:9000/b/k", S3, Some("[::1]:9000"), "b", "k"),
        ("s3://b/host:9000/k", S3, None, "b", "host:9000/k"),
        ("mem://n/k", Mem, None, "n", "k"),
    ];
    for (text, scheme, server, container, key) in table {
        let expected = (scheme, server.map(str::to_owned), container.to_owned(), key.to_owned());
        assert_eq!(parts(text), expected, "{text:?}");
    }
}

#[test]
fn urls() {
    use Scheme::{Http, Https};
    let table = [
        ("http://h", Http, "h", "", "http://h/"),
        ("HTTP://H:8080/a//b/../c?d=/e", Http, "h:8080", "a//b/../c?d=/e", ""),
        ("https://h:443/%20", Https, "h", "%20", "https://h/%20"),
        ("https://[::1]:9/x#part", Https, "[::1]:9", "x", "https://[::1]:9/x"),
        ("http://h?q", Http, "h", "?q", "http://h/?q"),
    ];
    for (text, scheme, server, key, shown) in table {
        assert_eq!(parts(text), (scheme, None, server.to_owned(), key.to_owned()), "{text:?}");
        let uri = Uri::parse(text).unwrap();
        if !shown.is_empty() {
            assert_eq!(uri.to_string(), shown);
        }
        assert_eq!(Uri::parse(&uri.to_string()), Ok(uri));
    }
    let uri = Uri::parse("https://h/a/b?c/d").unwrap();
    assert_eq!((uri.file_name(), uri.ends_with_slash()), (Some("b"), false));
    assert!(Uri::parse("https://h/a/?c").unwrap().ends_with_slash());
    assert_eq!(uri.with_key("x y").map(drop), Uri::parse("https://h/x y").map(drop));
    assert!(matches!(uri.with_key("x\r\ny"), Err(UriError::Url(_))));
    assert_eq!(Uri::parse("https://user:secret@h/"), Err(UriError::UserInfo));
    assert!(matches!(Uri::parse("https://h:0/secret"), Err(UriError::Url(_))));
}

#[test]
fn keys_survive_as_typed() {
    for key in [
        "/leading",
        "//",
        "a//b",
        ".",
        "..",
        "../x",
        "a/../b",
        "./a",
        "a?b=c",
        "a#b",
        "%41",
        "a%2Fb",
        "a b",
        " ",
        "user@host",
        "a:b",
        "x://y",
        "\u{1f984}",
        "e\u{301}",
        "\n",
        "\\",
        "+",
        "trailing/",
    ] {
        assert_eq!(parts(&format!("s3://b/{key}")).3, key);
        assert_eq!(parts(&format!("s3://h:1/b/{key}")).3, key);
        assert_eq!(parts(&format!("mem://n/{key}")).3, key);
        assert_eq!(parts(&format!("file:///{key}")).3, format!("/{key}"));
        assert_eq!(parts(&format!("direct:///{key}")).3, format!("/{key}"));
    }
}

#[test]
fn plain_paths() {
    for path in ["x", "./x", "/x", "../x", "a b", "-", "s3:x", "s3:/x", "./s3://x", "1://x", "://"]
    {
        let uri = parse_location(path).unwrap();
        assert_eq!((uri.scheme(), uri.key()), (Scheme::File, path));
    }
    assert_eq!(parse_location("/x").unwrap().to_string(), "file:///x");
    assert_eq!(parse_location("x").unwrap().to_string(), "x");
    assert_eq!(Uri::file("s3://b/k").unwrap().to_string(), "./s3://b/k");
}

#[test]
fn refusals() {
    use Scheme::{Direct, File, Mem, S3};
    let table = [
        ("", UriError::Empty),
        ("gs://b/k", UriError::UnknownScheme { scheme: "gs".into() }),
        ("s4+x://b/k", UriError::UnknownScheme { scheme: "s4+x".into() }),
        ("s3://user@host:9000/b/k", UriError::UserInfo),
        ("s3://user:secret@host:9000/b/k", UriError::UserInfo),
        ("s3://user@b/k", UriError::UserInfo),
        ("s3://user:sec/ret@host:9000/b/k", UriError::BadPort),
        ("s3://host:/b/k", UriError::BadPort),
        ("s3://host:0/b/k", UriError::BadPort),
        ("s3://host:65536/b/k", UriError::BadPort),
        ("s3://host:+80/b/k", UriError::BadPort),
        ("s3://:9000/b/k", UriError::BadHost),
        ("s3://::1:9000/b/k", UriError::BadHost),
        ("s3://[x]:9000/b/k", UriError::BadHost),
        ("s3://a,b:9000/b/k", UriError::BadHost),
        ("s3://", UriError::EmptyContainer { scheme: S3 }),
        ("s3:///k", UriError::EmptyContainer { scheme: S3 }),
        ("s3://host:9000", UriError::EmptyContainer { scheme: S3 }),
        ("s3://host:9000//k", UriError::EmptyContainer { scheme: S3 }),
        ("mem://", UriError::EmptyContainer { scheme: Mem }),
        ("s3://a b/k", UriError::BadContainer { character: ' ' }),
        ("s3://a\rb/k", UriError::BadContainer { character: '\r' }),
        ("s3://a?b/k", UriError::BadContainer { character: '?' }),
        ("s3://h:1/a@b/k", UriError::BadContainer { character: '@' }),
        ("mem://a:1/k", UriError::BadContainer { character: ':' }),
        ("file://x", UriError::RelativePath { scheme: File }),
        ("file://./x", UriError::RelativePath { scheme: File }),
        ("file://", UriError::RelativePath { scheme: File }),
        ("direct://x/y", UriError::RelativePath { scheme: Direct }),
        ("s3://b/k\0", UriError::Nul { offset: 8 }),
        ("x\0", UriError::Nul { offset: 1 }),
    ];
    for (text, expected) in table {
        assert_eq!(parse_location(text), Err(expected.clone()), "{text:?}");
        assert!(!expected.to_string().contains("secret"), "{expected}");
    }
    assert_eq!(Uri::parse("x"), Err(UriError::NoScheme));
    let unknown = Uri::parse("gs://b").unwrap_err().to_string();
    for scheme in Scheme::ALL {
        assert!(unknown.contains(scheme.as_str()), "{unknown}");
    }
}

#[test]
fn joining_and_names() {
    let join = |base: &str, suffix: &str| {
        parse_location(base).and_then(|uri| uri.join(suffix)).map(|uri| uri.to_string())
    };
    for (base, suffix, joined) in [
        ("s3://b", "k", "s3://b/k"),
        ("s3://b/p", "k", "s3://b/p/k"),
        ("s3://b/p/", "k", "s3://b/p/k"),
        ("s3://b/p", "/k", "s3://b/p//k"),
        ("s3://b", "/k", "s3://b//k"),
        ("s3://b/p", "", "s3://b/p"),
        ("s3://b/p", "..", "s3://b/p/.."),
        ("direct:///d", "x", "direct:///d/x"),
        ("/", "x", "file:///x"),
        ("d", "x", "d/x"),
        ("a:", "/x", "./a://x"),
    ] {
        assert_eq!(join(base, suffix), Ok(joined.to_owned()), "{base:?} {suffix:?}");
    }
    assert_eq!(join("s3://b", "\0"), Err(UriError::Nul { offset: 0 }));

    let name = |text: &str| parse_location(text).unwrap().file_name().map(str::to_owned);
    assert_eq!(name("s3://b/p/k").as_deref(), Some("k"));
    assert_eq!(name("s3://b/k").as_deref(), Some("k"));
    assert_eq!(name("s3://b/p/"), None);
    assert_eq!(name("s3://b"), None);
    assert_eq!(name("x").as_deref(), Some("x"));

    let many = |text: &str| parse_location(text).unwrap().ends_with_slash();
    assert!(many("s3://b") && many("s3://b/p/") && many("/"));
    assert!(!many("s3://b/p") && !many("x"));
}

#[test]
fn another_key_in_the_same_store() {
    let uri = Uri::parse("s3://h:1/b/k").unwrap();
    assert_eq!(uri.with_key("").unwrap().to_string(), "s3://h:1/b/");
    let direct = Uri::parse("direct:///d").unwrap();
    assert_eq!(direct.with_key("/e").unwrap().to_string(), "direct:///e");
    let relative = UriError::RelativePath { scheme: Scheme::Direct };
    assert_eq!(direct.with_key("e"), Err(relative));
    assert_eq!(direct.with_key(""), Err(UriError::Empty));
}

proptest! {
    #[test]
    fn display_gives_the_uri_back(
        start in prop::sample::select(vec![
            "s3://b/", "s3://h:9/b/", "s3://[::1]:9/b/", "mem://n/",
            "file:///", "direct:///", "/", "", "a:", "a",
        ]),
        key in "[^\0]{0,12}|[a-z:/.]{0,12}",
        suffix in "[^\0]{0,12}|[a-z:/.]{0,12}",
    ) {
        let Ok(uri) = parse_location(&format!("{start}{key}")) else { return Ok(()) };
        prop_assert_eq!(parse_location(&uri.to_string()), Ok(uri.clone()));
        let joined = uri.join(&suffix).unwrap();
        prop_assert_eq!(parse_location(&joined.to_string()), Ok(joined));
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in any::<String>(),
        scheme in "(s3://|mem://|file://)?",
    ) {
        if let Ok(uri) = parse_location(&format!("{scheme}{text}")) {
            prop_assert_eq!(parse_location(&uri.to_string()), Ok(uri));
        }
    }
}
