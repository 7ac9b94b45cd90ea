//! The private readers of what sources of credentials answer, for the fuzz targets alone.

use super::answer::{self, Writer};
use super::outside::{Answer, Secret};
use super::{Credentials, CredentialsError, sso, sts};

/// Reads what a metadata service answers.
///
/// # Errors
/// What is wrong with it, in a text without its values.
pub fn of_service(document: &[u8]) -> Result<Credentials, String> {
    answer::parse(Writer::Service, document)
}

/// Reads what a `credential_process` writes.
///
/// # Errors
/// As [`of_service`].
pub fn of_command(document: &[u8]) -> Result<Credentials, String> {
    answer::parse(Writer::Command, document)
}

/// Reads what the portal of a sign-in answers.
///
/// # Errors
/// As [`of_service`].
pub fn of_portal(document: &[u8]) -> Result<Credentials, String> {
    answer::parse(Writer::Portal, document)
}

/// Reads the file with the token of a sign-in.
///
/// # Errors
/// As [`of_service`].
pub fn of_sign_in(document: &[u8]) -> Result<(), String> {
    sso::parse_token(document).map(drop)
}

/// Reads what the token service answers.
///
/// # Errors
/// What the service says against it, or what is wrong with the answer.
pub fn of_token_service(status: u16, body: &[u8]) -> Result<Credentials, CredentialsError> {
    sts::answered(&Answer { status, body: Secret::new(body.to_vec()) }, "")
}
