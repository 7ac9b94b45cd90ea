use super::*;
use proptest::prelude::*;

fn at(url: &str) -> EndpointOptions {
    EndpointOptions { url: Some(url.to_owned()), ..EndpointOptions::default() }
}

fn resolve(bucket: &str, url: &str) -> Endpoint {
    Endpoint::resolve(bucket, &at(url)).unwrap()
}

fn object_path(endpoint: &Endpoint, key: &str) -> String {
    let mut out = Vec::new();
    endpoint.write_object_path(key, &mut out);
    String::from_utf8(out).unwrap()
}

fn bucket_path(endpoint: &Endpoint) -> String {
    let mut out = Vec::new();
    endpoint.write_bucket_path(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn aws_is_addressed_by_virtual_host() {
    let options = EndpointOptions { region: Some("eu-west-1".into()), ..Default::default() };
    let endpoint = Endpoint::resolve("data", &options).unwrap();
    assert_eq!(endpoint.scheme(), Scheme::Https);
    assert_eq!(endpoint.host_header(), "data.s3.eu-west-1.amazonaws.com");
    assert_eq!(
        (endpoint.connect_host(), endpoint.port()),
        ("data.s3.eu-west-1.amazonaws.com", 443)
    );
    assert_eq!(endpoint.region(), "eu-west-1");
    assert_eq!(object_path(&endpoint, "a b/c"), "/a%20b/c");
    assert_eq!(bucket_path(&endpoint), "/");
}

#[test]
fn names_that_are_no_label_use_the_path_on_aws() {
    for bucket in ["my.data", "My-Data", "my_data", "-data"] {
        let endpoint = Endpoint::resolve(bucket, &EndpointOptions::default()).unwrap();
        assert_eq!(endpoint.style(), AddressStyle::Path);
        assert_eq!(endpoint.host_header(), "s3.us-east-1.amazonaws.com");
        assert_eq!(object_path(&endpoint, "k"), format!("/{bucket}/k"));
        assert_eq!(bucket_path(&endpoint), format!("/{bucket}"));
    }
}

#[test]
fn china_has_its_own_domain() {
    let options = EndpointOptions { region: Some("cn-north-1".into()), ..Default::default() };
    let endpoint = Endpoint::resolve("data", &options).unwrap();
    assert_eq!(endpoint.host_header(), "data.s3.cn-north-1.amazonaws.com.cn");
}

#[test]
fn an_endpoint_of_ones_own_uses_the_path() {
    let endpoint = resolve("data", "http://LocalHost:9000/");
    assert_eq!(endpoint.style(), AddressStyle::Path);
    assert_eq!(endpoint.host_header(), "localhost:9000");
    assert_eq!((endpoint.connect_host(), endpoint.port()), ("localhost", 9000));
    assert_eq!(endpoint.region(), REGION_DEFAULT);
    assert_eq!(object_path(&endpoint, "/a//.."), "/data//a//..");
    assert_eq!(endpoint.to_string(), "http://localhost:9000");
}

#[test]
fn the_schemes_own_port_is_left_out_of_the_host_header() {
    assert_eq!(resolve("b", "http://h:80").host_header(), "h");
    assert_eq!(resolve("b", "https://h:443").host_header(), "h");
    assert_eq!(resolve("b", "http://h:443").host_header(), "h:443");
    assert_eq!(resolve("b", "https://h").port(), 443);
}

#[test]
fn ipv6_hosts_keep_their_brackets_in_the_header_only() {
    let endpoint = resolve("b", "http://[0:0::1]:9000");
    assert_eq!(endpoint.host_header(), "[::1]:9000");
    assert_eq!((endpoint.connect_host(), endpoint.port()), ("::1", 9000));
    assert_eq!(resolve("b", "http://[::1]").host_header(), "[::1]");
}

#[test]
fn a_service_beneath_a_path_keeps_it() {
    let endpoint = resolve("b", "https://host/storage/v1/s3/");
    assert_eq!(object_path(&endpoint, "k"), "/storage/v1/s3/b/k");
    assert_eq!(bucket_path(&endpoint), "/storage/v1/s3/b");
}

#[test]
fn virtual_host_style_can_be_asked_for() {
    let style = Some(AddressStyle::VirtualHost);
    let options = EndpointOptions { style, ..at("http://s3.example:9000") };
    let endpoint = Endpoint::resolve("a.b", &options).unwrap();
    assert_eq!(endpoint.host_header(), "a.b.s3.example:9000");
    assert_eq!(object_path(&endpoint, "k"), "/k");
    for (bucket, url) in [("b", "http://127.0.0.1:9000"), ("b", "http://[::1]"), ("B_", "http://h")]
    {
        let options = EndpointOptions { style, ..at(url) };
        let error = Endpoint::resolve(bucket, &options).unwrap_err();
        assert!(matches!(error, EndpointError::VirtualHost { .. }), "{error}");
    }
}

#[test]
fn path_style_can_be_asked_for_on_aws() {
    let options = EndpointOptions { style: Some(AddressStyle::Path), ..Default::default() };
    let endpoint = Endpoint::resolve("data", &options).unwrap();
    assert_eq!(endpoint.host_header(), "s3.us-east-1.amazonaws.com");
}

#[test]
fn the_more_specific_variable_wins_and_empty_ones_do_not_count() {
    let all = [
        ("AWS_ENDPOINT_URL", "http://general"),
        ("AWS_ENDPOINT_URL_S3", "http://special"),
        ("AWS_REGION", ""),
        ("AWS_DEFAULT_REGION", "eu-north-1"),
    ];
    let lookup = |set: &[(&str, &str)], wanted: &str| {
        set.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_string())
    };
    let options = EndpointOptions::from_env(|name| lookup(&all, name));
    assert_eq!(options.url.as_deref(), Some("http://special"));
    assert_eq!(options.region.as_deref(), Some("eu-north-1"));
    let options = EndpointOptions::from_env(|name| lookup(&all[..1], name));
    assert_eq!(options.url.as_deref(), Some("http://general"));
    assert_eq!(EndpointOptions::from_env(|_| None), EndpointOptions::default());
}

#[test]
fn unusable_urls_say_what_is_wrong() {
    for (url, problem) in [
        ("localhost:9000", "scheme is missing"),
        ("ftp://host", "neither http nor https"),
        ("http://", "host is missing"),
        ("http://:9000", "host is missing"),
        ("http://ho st", "space"),
        ("http://host\n", "control"),
        ("http://host:", "port"),
        ("http://host:0", "port"),
        ("http://host:+80", "port"),
        ("http://host:70000", "port"),
        ("http://[::1", "not closed"),
        ("http://[nope]", "IPv6"),
        ("http://[::1]9000", "IPv6"),
        ("http://a..b", "not a name"),
        ("http://host?x=1", "query"),
        ("http://host/#x", "fragment"),
        ("http://host/a\"b", "%XX"),
    ] {
        let error = Endpoint::resolve("b", &at(url)).unwrap_err().to_string();
        assert!(error.contains(problem), "{url}: {error}");
        assert!(error.contains("write it as http://host:port"), "{error}");
    }
}

/// SEC-1
#[test]
fn a_password_in_a_url_is_refused_and_not_shown() {
    for url in [
        "http://user:hunter2@host",
        "http://user:hun@ter2@host",
        "user:hunter2@host",
        "http://user:hunter2@host\n",
        "user:hunter2@x://host",
        "http://user:hunter2@ho?st",
    ] {
        let error = Endpoint::resolve("b", &at(url)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ter2"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hun"), "{error}");
    }
}

#[test]
fn bad_buckets_and_regions_are_refused() {
    let long = "a".repeat(256);
    for bucket in ["", "a/b", "a b", "..", "a?b", "é", "arn:aws:s3:::x", long.as_str()] {
        let error = Endpoint::resolve(bucket, &EndpointOptions::default()).unwrap_err();
        assert!(matches!(error, EndpointError::Bucket { .. }), "{bucket}");
    }
    for region in ["", "eu west", "eu/west", "a\n"] {
        let options = EndpointOptions { region: Some(region.into()), ..Default::default() };
        let error = Endpoint::resolve("b", &options).unwrap_err();
        assert!(matches!(error, EndpointError::Region { .. }), "{region}");
    }
}

#[test]
fn several_endpoints_are_of_one_store() {
    let hosts = |url: &str| -> Vec<String> {
        let all = Endpoint::resolve_all("b", &at(url)).unwrap();
        all.iter().map(Endpoint::host_header).collect()
    };
    assert_eq!(hosts("http://one:9000"), ["one:9000"]);
    assert_eq!(hosts("http://127.0.0.{1...2}:9, http://c:80"), ["127.0.0.1:9", "127.0.0.2:9", "c"]);
    for (url, problem) in [
        ("http://a,https://b", "all http, or all https"),
        ("http://a,http://A:80/", "named twice"),
        ("http://h{1...3},http://h2", "named twice"),
        ("http://a,b", "scheme is missing"),
        ("http://a{1...2}{", "not closed"),
    ] {
        let error = Endpoint::resolve_all("b", &at(url)).unwrap_err().to_string();
        assert!(error.contains(problem), "{url}: {error}");
    }
    let options = EndpointOptions {
        style: Some(AddressStyle::VirtualHost),
        ..at("http://node{1...2}.example:9000")
    };
    let all = Endpoint::resolve_all("data", &options).unwrap();
    assert_eq!(all[1].host_header(), "data.node2.example:9000");
}

/// SEC-1
#[test]
fn a_password_in_a_list_is_refused_and_no_part_of_it_shown() {
    for url in [
        "http://user:hun,ter2@host",
        "http://user:hun{1...2}ter2@host",
        "http://a,http://user:hun}ter2@host,http://b",
    ] {
        let error = Endpoint::resolve_all("b", &at(url)).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hun") && !shown.contains("ter2"), "{shown}");
    }
}

#[test]
fn dual_stack_names_are_kept_in_every_region() {
    let options = EndpointOptions {
        region: Some("eu-west-1".into()),
        dual_stack: Some(true),
        ..Default::default()
    };
    let endpoint = Endpoint::resolve("data", &options).unwrap();
    assert_eq!(endpoint.host_header(), "data.s3.dualstack.eu-west-1.amazonaws.com");
    assert!(endpoint.is_amazon());
    let moved = endpoint.in_region("cn-north-1").unwrap();
    assert_eq!(moved.host_header(), "data.s3.dualstack.cn-north-1.amazonaws.com.cn");
    assert_eq!(endpoint.service().host_header(), "s3.dualstack.eu-west-1.amazonaws.com");
    // Of one's own endpoint nothing is made.
    let own = EndpointOptions { dual_stack: Some(true), ..at("http://h") };
    assert_eq!(Endpoint::resolve("data", &own).unwrap().host_header(), "h");
    for (word, means) in [("TRUE", Some(true)), ("false", Some(false)), ("", None), ("1", None)] {
        let lookup = |name: &str| (name == "AWS_USE_DUALSTACK_ENDPOINT").then(|| word.to_owned());
        assert_eq!(EndpointOptions::from_env(lookup).dual_stack, means, "{word}");
    }
}

#[test]
fn names_of_validated_servers_are_kept_in_every_region() {
    let mut options = EndpointOptions {
        region: Some("us-east-1".into()),
        fips: Some(true),
        ..Default::default()
    };
    let endpoint = Endpoint::resolve("data", &options).unwrap();
    assert_eq!(endpoint.host_header(), "data.s3-fips.us-east-1.amazonaws.com");
    let moved = endpoint.in_region("us-west-2").unwrap();
    assert_eq!(moved.host_header(), "data.s3-fips.us-west-2.amazonaws.com");
    options.dual_stack = Some(true);
    let both = Endpoint::resolve("data", &options).unwrap();
    assert_eq!(both.host_header(), "data.s3-fips.dualstack.us-east-1.amazonaws.com");
    let own = EndpointOptions { fips: Some(true), ..at("http://h") };
    assert_eq!(Endpoint::resolve("data", &own).unwrap().host_header(), "h");
    let lookup = |name: &str| (name == "AWS_USE_FIPS_ENDPOINT").then(|| "true".to_owned());
    assert_eq!(EndpointOptions::from_env(lookup).fips, Some(true));
}

proptest! {
    #[test]
    fn parsing_never_panics(url in any::<String>(), tail in "[\\[\\]@:/?#.a-z0-9%]{0,24}") {
        let _ = Endpoint::resolve("b", &at(&url));
        let _ = Endpoint::resolve_all("b", &at(&url));
        let _ = Endpoint::resolve("b", &at(&format!("http://{tail}")));
    }
}

#[test]
fn another_bucket_with_dots_is_reached_as_if_it_came_first() {
    let options = EndpointOptions { region: Some("eu-west-1".into()), ..Default::default() };
    let first = Endpoint::resolve("data", &options).unwrap();
    for bucket in ["other", "a.b"] {
        let resolved = Endpoint::resolve(bucket, &options).unwrap();
        assert_eq!(first.with_bucket(bucket).unwrap(), resolved, "{bucket}");
    }
    // Without TLS there is no certificate to fit.
    let url = Some("http://s3.example".to_owned());
    let style = Some(AddressStyle::VirtualHost);
    let plain = EndpointOptions { url, style, ..Default::default() };
    let first = Endpoint::resolve("data", &plain).unwrap();
    assert_eq!(first.with_bucket("a.b").unwrap(), Endpoint::resolve("a.b", &plain).unwrap());
}

#[test]
fn a_server_is_confidential_by_tls_or_on_this_machine() {
    for url in
        ["https://s3.example", "http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost"]
    {
        assert!(resolve("bucket", url).is_confidential(), "{url}");
    }
    for url in
        ["http://s3.example", "http://10.0.0.1", "http://localhost.example", "http://a.localhost"]
    {
        assert!(!resolve("bucket", url).is_confidential(), "{url}");
    }
}
