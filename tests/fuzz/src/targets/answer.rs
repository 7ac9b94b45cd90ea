//! Answers with credentials: read or refused, and what is refused is told without its values (SEC-1).

use hydrant::s3::credentials::fuzzing::{
    of_command, of_portal, of_service, of_sign_in, of_token_service,
};

/// A value of the corpus that nothing may repeat.
const CANARY: &str = "canary-value";

pub fn run(data: &[u8]) {
    let [status, document @ ..] = data else { return };
    let status = if status % 4 == 0 { 200 } else { u16::from(*status) + 300 };
    let said = [
        told(of_service(document).map_err(|error| error.to_string())),
        told(of_command(document).map_err(|error| error.to_string())),
        told(of_portal(document)),
        of_sign_in(document).err().unwrap_or_default(),
    ];
    // What a service says against a request is repeated, and whole documents are not.
    let says_so = document.to_ascii_lowercase().windows(4).any(|it| it == b"code");
    assert!(says_so || !said.concat().contains(CANARY), "SEC-1: {said:?}");
    let from_sts = of_token_service(status, document);
    let is_ok = from_sts.is_ok();
    let said = told(from_sts.map_err(|error| error.to_string()));
    assert!(status == 200 || !is_ok);
    assert!(status != 200 || !said.contains(CANARY), "SEC-1: {said:?}");
}

/// The text of an error, or what `Debug` shows of credentials, which can all be sent.
fn told(read: Result<hydrant::s3::credentials::Credentials, String>) -> String {
    match read {
        Err(error) => error,
        Ok(found) => {
            assert!(found.access_key_id().bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(
                found.session_token().is_none_or(|it| it.bytes().all(|b| b.is_ascii_graphic()))
            );
            let shown = format!("{found:?}");
            if found.access_key_id().contains(CANARY) { String::new() } else { shown }
        }
    }
}
