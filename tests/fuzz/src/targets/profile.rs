//! Files of profiles: read or refused, and what is read stays the same with a comment more.

use hydrant::s3::credentials::profile::Profiles;

const PLANTED: &str = "planted-secret";

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (config, credentials) = text.split_once('\0').unwrap_or((text, ""));
    let read = Profiles::parse(config, credentials);
    let commented = format!("# a comment\n\n{}", config.trim_start_matches('\u{feff}'));
    match (&read, Profiles::parse(&commented, credentials)) {
        (Ok(read), Ok(commented)) => assert!(*read == commented),
        (Err((file, _)), Err((commented, _))) => assert_eq!(*file, commented),
        _ => panic!("a comment makes a difference"),
    }
    if let Ok(profiles) = read {
        let _ = profiles.endpoint_url("default", "s3");
    }
    shows_no_value(config, credentials);
}

/// Names are shown and may be anything, so a value is planted that occurs nowhere else (SEC-1).
fn shows_no_value(config: &str, credentials: &str) {
    let found = |text: &str| text.to_ascii_lowercase().contains(PLANTED);
    let planted = format!("{config}\nplanted = {PLANTED}\n  {PLANTED}\n");
    if !found(config)
        && !found(credentials)
        && let Ok(profiles) = Profiles::parse(&planted, credentials)
    {
        assert!(!found(&format!("{profiles:?}")), "SEC-1");
    }
}
