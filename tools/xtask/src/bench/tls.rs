//! The server of a bench by TLS: its certificate, and what its clients agreed on with it.

use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::shell;

/// The first choice of `rustls` and OpenSSL. No other is allowed with TLS 1.3, so that all clients
/// do the same work.
const SUITE: &str = "TLS_AES_256_GCM_SHA384";
/// The server writes a line when a request is over, which its client may hear of first.
const LOG_LIMIT: Duration = Duration::from_secs(2);

/// A port that speaks TLS, and the files around it.
pub struct Tls {
    pub address: SocketAddr,
    folder: PathBuf,
}

impl Tls {
    /// Makes the certificate, which is its own authority, in `folder`.
    ///
    /// # Errors
    /// When openssl fails.
    pub fn make(folder: &Path, address: SocketAddr) -> Result<Tls> {
        let tls = Tls { address, folder: folder.to_owned() };
        let request = tls.file("request.conf");
        fs::write(&request, certificate_request(address))
            .map_err(|cause| Failure::io(request.display(), cause))?;
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]);
        command.args(["-pkeyopt", "ec_paramgen_curve:P-256", "-config"]).arg(request);
        command.arg("-keyout").arg(tls.file("key.pem")).arg("-out").arg(tls.authority());
        shell::read(&mut command)?;
        Ok(tls)
    }

    /// What clients have to trust, as PEM.
    pub fn authority(&self) -> PathBuf {
        self.file("certificate.pem")
    }

    /// For the block of nginx that has the log's format.
    pub fn log_format() -> &'static str {
        "log_format agreed '$ssl_protocol $ssl_cipher';"
    }

    /// For the block of the server.
    pub fn configuration(&self) -> String {
        format!(
            "listen {} ssl;\n\
             ssl_certificate {};\n\
             ssl_certificate_key {};\n\
             ssl_protocols TLSv1.2 TLSv1.3;\n\
             ssl_conf_command Ciphersuites {SUITE};\n\
             access_log {} agreed if=$https;\n",
            self.address,
            self.authority().display(),
            self.file("key.pem").display(),
            self.log().display(),
        )
    }

    /// Version and suite of all requests since the last call, as the server has them.
    ///
    /// # Errors
    /// When there were none, or not all had the same.
    pub fn agreed(&self) -> Result<String> {
        let (path, start) = (self.log(), Instant::now());
        let failed = |cause| Failure::io(path.display(), cause);
        loop {
            let text = fs::read_to_string(&path).map_err(failed)?;
            if !text.is_empty() {
                // The server appends, so it goes on at the new end.
                OpenOptions::new().write(true).truncate(true).open(&path).map_err(failed)?;
                return only(&text);
            }
            if start.elapsed() > LOG_LIMIT {
                return Err(Failure::new("nobody spoke TLS with the server"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log(&self) -> PathBuf {
        self.file("agreed.log")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The one line that `text` repeats.
fn only(text: &str) -> Result<String> {
    let first = text.lines().next().unwrap_or_default();
    match text.lines().find(|line| *line != first) {
        None => Ok(first.to_owned()),
        Some(other) => Err(Failure::new(format!("agreed on were both {first} and {other}"))),
    }
}

/// It signs nothing but itself: some clients take no authority for a server.
fn certificate_request(address: SocketAddr) -> String {
    format!(
        "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = own\n\
         [name]\nCN = the server of a bench\n\
         [own]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = IP:{}\n",
        address.ip()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_agree_on_one_thing_or_the_run_says_nothing() {
        let one = "TLSv1.3 TLS_AES_256_GCM_SHA384\n";
        assert_eq!(only(&one.repeat(3)).expect("one"), one.trim_end());
        assert!(only(&format!("{one}TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384\n")).is_err());
    }
}
