//! Files of profiles: read or refused, and what is read stays the same with a comment more.

use hydrant::s3::credentials::profile::Profiles;

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
        assert!(!format!("{profiles:?}").contains("canary-value"), "SEC-1");
    }
}
