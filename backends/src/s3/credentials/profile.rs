//! The files in which people keep profiles: `~/.aws/config` and `~/.aws/credentials`.
//!
//! Sections in brackets, properties below them, comments behind `#` and `;`, and an indented line that
//! carries on what stands above it. Source: AWS SDKs and tools reference guide, "Shared config and
//! credentials files".

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// Bytes of one file at most (LIMIT-1); real ones have a few KiB.
pub const PROFILE_FILE_BYTES_MAX: usize = 1 << 20;

/// Which of the two files: they name their sections differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileFile {
    /// `~/.aws/config`: `[profile name]`, `[default]`, `[services name]`,
    /// `[sso-session name]`.
    Config,
    /// `~/.aws/credentials`: `[name]`.
    Credentials,
}

/// The profiles of both files. Its `Debug` shows names and no values (SEC-1).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profiles {
    profiles: BTreeMap<String, Properties>,
    services: BTreeMap<String, Properties>,
    sso_sessions: BTreeMap<String, Properties>,
}

/// The properties of a profile, by name in lower case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, Zeroizing<String>>);

/// A line that cannot be read. The line itself is not shown: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ProfileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

#[derive(Clone, PartialEq, Eq)]
enum Section {
    Profile(String),
    Services(String),
    SsoSession(String),
    /// Of no use here.
    Other,
}

impl Profiles {
    /// Reads both files; a file that is not there is an empty text. Where both have a property of a
    /// profile, that of the credentials file holds.
    ///
    /// # Errors
    /// The file and its first line that is neither section, property, comment nor continuation.
    pub fn parse(config: &str, credentials: &str) -> Result<Profiles, (ProfileFile, ProfileError)> {
        let mut all = Profiles::default();
        for (file, text) in [(ProfileFile::Config, config), (ProfileFile::Credentials, credentials)]
        {
            all.read(file, text).map_err(|error| (file, error))?;
        }
        Ok(all)
    }

    /// A profile by its name.
    pub fn get(&self, name: &str) -> Option<&Properties> {
        self.profiles.get(name)
    }

    /// A sign-in that profiles share, by its name.
    pub(super) fn sso_session(&self, name: &str) -> Option<&Properties> {
        self.sso_sessions.get(name)
    }

    /// The endpoint that a profile names for a service, such as `s3`: that of its `services` section,
    /// else its own `endpoint_url`.
    pub fn endpoint_url(&self, profile: &str, service: &str) -> Option<&str> {
        let profile = self.get(profile)?;
        let services = profile.get("services").and_then(|name| self.services.get(name));
        let own = services.and_then(|services| services.nested(service, "endpoint_url"));
        own.or_else(|| profile.get("endpoint_url"))
    }

    fn read(&mut self, file: ProfileFile, text: &str) -> Result<(), ProfileError> {
        let mut section = None;
        let mut property: Option<String> = None;
        let mut default_is_marked = false;
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let fail = |problem| ProfileError { line: index + 1, problem };
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('[') {
                let (found, is_marked) = header(file, trimmed).map_err(fail)?;
                section = Some(self.begin(found, is_marked, &mut default_is_marked));
                property = None;
                continue;
            }
            let Some(section) = &section else {
                return Err(fail("a property before the first section"));
            };
            let properties = self.of(section);
            if line.starts_with([' ', '\t']) {
                let Some(name) = &property else {
                    return Err(fail("an indented line with nothing above it to carry on"));
                };
                if let Some(value) = properties.and_then(|it| it.0.get_mut(name)) {
                    value.push('\n');
                    value.push_str(trimmed);
                }
                continue;
            }
            let (name, value) =
                line.split_once('=').ok_or_else(|| fail("there is no '=' in it"))?;
            let name = name.trim().to_ascii_lowercase();
            if name.is_empty() {
                return Err(fail("there is no name before the '='"));
            }
            let value = Zeroizing::new(without_comment(value).to_owned());
            if let Some(properties) = properties {
                properties.0.insert(name.clone(), value);
            }
            property = Some(name);
        }
        Ok(())
    }

    /// Begins a section, which counts also where it is empty. `[profile default]` beats `[default]`,
    /// whichever comes first.
    fn begin(&mut self, found: Section, is_marked: bool, default_is_marked: &mut bool) -> Section {
        match &found {
            Section::Profile(name) => {
                let is_default = name == "default";
                if is_default && *default_is_marked && !is_marked {
                    return Section::Other;
                }
                if is_default && is_marked && !std::mem::replace(default_is_marked, true) {
                    self.profiles.remove("default");
                }
                self.profiles.entry(name.clone()).or_default();
            }
            Section::Services(name) => {
                self.services.entry(name.clone()).or_default();
            }
            Section::SsoSession(name) => {
                self.sso_sessions.entry(name.clone()).or_default();
            }
            Section::Other => {}
        }
        found
    }

    fn of(&mut self, section: &Section) -> Option<&mut Properties> {
        match section {
            Section::Profile(name) => self.profiles.get_mut(name),
            Section::Services(name) => self.services.get_mut(name),
            Section::SsoSession(name) => self.sso_sessions.get_mut(name),
            Section::Other => None,
        }
    }
}

impl Properties {
    /// The value of a property; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a property in the lines below another one.
    fn nested(&self, outer: &str, name: &str) -> Option<&str> {
        let lines = self.get(outer)?.lines();
        let mut pairs = lines.filter_map(|line| line.split_once('='));
        pairs.find(|(found, _)| found.trim().eq_ignore_ascii_case(name)).map(|(_, it)| it.trim())
    }

    #[cfg(test)]
    pub(super) fn of_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Properties {
        Properties(pairs.map(|(name, it)| (name.into(), Zeroizing::new(it.into()))).collect())
    }
}

#[cfg(test)]
impl FromIterator<(String, Properties)> for Profiles {
    fn from_iter<T: IntoIterator<Item = (String, Properties)>>(profiles: T) -> Profiles {
        Profiles { profiles: profiles.into_iter().collect(), ..Profiles::default() }
    }
}

#[cfg(test)]
impl Profiles {
    pub(super) fn with_sso_session(mut self, name: &str, properties: Properties) -> Profiles {
        self.sso_sessions.insert(name.to_owned(), properties);
        self
    }
}

/// What a line in brackets begins, and whether it is marked with `profile`.
fn header(file: ProfileFile, line: &str) -> Result<(Section, bool), &'static str> {
    let (inside, behind) =
        line[1..].split_once(']').ok_or("a section without its closing bracket")?;
    if !behind.trim_start().is_empty() && !behind.trim_start().starts_with(['#', ';']) {
        return Err("text behind the closing bracket of a section");
    }
    let inside = inside.trim();
    let (marker, name) = match inside.split_once(char::is_whitespace) {
        Some((marker, name)) => (marker, name.trim()),
        None => ("", inside),
    };
    let found = match (file, marker, name) {
        (_, "", "") => return Err("a section without a name"),
        (ProfileFile::Config, "profile", name) => Section::Profile(name.to_owned()),
        (ProfileFile::Config, "services", name) => Section::Services(name.to_owned()),
        (ProfileFile::Config, "sso-session", name) => Section::SsoSession(name.to_owned()),
        (ProfileFile::Config, "", "default") | (ProfileFile::Credentials, "", _) => {
            Section::Profile(name.to_owned())
        }
        // Names that no tool reads, and sections of later days.
        (ProfileFile::Config | ProfileFile::Credentials, ..) => Section::Other,
    };
    Ok((found, marker == "profile"))
}

/// A comment begins behind white space.
fn without_comment(value: &str) -> &str {
    let mut after_space = false;
    let end = value.char_indices().find(|&(_, c)| {
        let begins = after_space && (c == '#' || c == ';');
        after_space = c.is_whitespace();
        begins
    });
    value[..end.map_or(value.len(), |(at, _)| at)].trim()
}

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profiles")
            .field("profiles", &self.profiles)
            .field("services", &self.services)
            .field("sso_sessions", &self.sso_sessions)
            .finish()
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(config: &str, credentials: &str) -> Profiles {
        Profiles::parse(config, credentials).expect("readable files")
    }

    #[test]
    fn sections_properties_and_comments_are_read() {
        let config = "# a comment\n[default]\nregion = eu-west-1 ; Ireland\n\n[profile  two ] # second\n\
            Output=json\nregion=a#b\nempty =\n[ignored]\nregion = no\n[sso-session s]\nsso_region = x\n";
        let profiles = parse(config, "[default]\naws_access_key_id = AKID\n[profile x]\na = b\n");
        let default = profiles.get("default").unwrap();
        assert_eq!(default.get("region"), Some("eu-west-1"));
        assert_eq!(default.get("aws_access_key_id"), Some("AKID"));
        let two = profiles.get("two").unwrap();
        assert_eq!((two.get("output"), two.get("region")), (Some("json"), Some("a#b")));
        assert_eq!(two.get("empty"), None);
        assert_eq!(profiles.sso_session("s").unwrap().get("sso_region"), Some("x"));
        for name in ["ignored", "s", "x", "profile x"] {
            assert!(profiles.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_credentials_file_and_the_marked_default_win() {
        let config =
            "[profile default]\nregion = a\nkey = config\n[default]\nregion = b\nmore = c\n";
        let profiles = parse(config, "[default]\nkey = credentials\n");
        let default = profiles.get("default").unwrap();
        assert_eq!(default.get("region"), Some("a"));
        assert_eq!(default.get("more"), None);
        assert_eq!(default.get("key"), Some("credentials"));
        let config = "[default]\nregion = b\n[profile default]\nkey = k\n";
        assert_eq!(parse(config, "").get("default").unwrap().get("region"), None);
    }

    #[test]
    fn sections_that_come_twice_are_one() {
        let profiles = parse("[profile a]\nx = 1\ny = 1\n[default]\n[profile a]\ny = 2\n", "");
        let a = profiles.get("a").unwrap();
        assert_eq!((a.get("x"), a.get("y")), (Some("1"), Some("2")));
        assert!(profiles.get("default").is_some(), "also an empty one is there");
    }

    #[test]
    fn endpoints_of_services_come_before_the_general_one() {
        let config = "[profile a]\nservices = mine\nendpoint_url = http://all\n\
            [services mine]\ns3 =\n  endpoint_url = http://s3:9000\n  other = 1\n\
            [profile b]\nendpoint_url = http://b\n";
        let profiles = parse(config, "");
        assert_eq!(profiles.endpoint_url("a", "s3"), Some("http://s3:9000"));
        assert_eq!(profiles.endpoint_url("a", "sts"), Some("http://all"));
        assert_eq!(profiles.endpoint_url("b", "s3"), Some("http://b"));
        assert_eq!(profiles.endpoint_url("c", "s3"), None);
    }

    #[test]
    fn lines_that_cannot_be_read_are_told_without_their_text() {
        for (text, line) in [
            ("key = value", 1),
            ("[default]\nsecret", 2),
            ("[default]\n = secret", 2),
            ("\n[default", 2),
            ("[default] secret", 1),
            ("[]", 1),
            ("[default]\n  secret", 2),
        ] {
            let (file, error) = Profiles::parse("", text).expect_err(text);
            assert_eq!((file, error.line), (ProfileFile::Credentials, line), "{text:?}");
            assert!(!format!("{error} {error:?}").contains("secret"), "SEC-1: {error}");
        }
    }

    /// SEC-1
    #[test]
    fn debug_shows_no_values() {
        let profiles = parse("", "[default]\naws_secret_access_key = hush\n");
        let text = format!("{profiles:?}");
        assert!(text.contains("aws_secret_access_key") && !text.contains("hush"), "{text}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            name in "[A-Za-z0-9_./@%:-]{1,20}",
            value in "[A-Za-z0-9+/=]([A-Za-z0-9+/= ]{0,40}[A-Za-z0-9+/=])?",
        ) {
            let text = format!("[{name}]\naws_secret_access_key = {value}\n");
            let profiles = parse("", &text);
            let profile = profiles.get(&name).unwrap();
            prop_assert_eq!(profile.get("aws_secret_access_key"), Some(value.as_str()));
        }

        #[test]
        fn any_text_is_read_or_refused(config in any::<String>(), credentials in "[\\[\\]= \n#;a]{0,60}") {
            let _ = Profiles::parse(&config, &credentials);
        }
    }
}
