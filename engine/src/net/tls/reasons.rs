//! From what `rustls` says to what a user can do about it.

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error};

use super::TlsProblem;

pub(super) fn problem_of(error: Error) -> TlsProblem {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoCertificatesPresented => {
            TlsProblem::BadCertificate("it presented none".to_owned())
        }
        Error::PeerIncompatible(reason) => TlsProblem::NothingInCommon(format!("{reason:?}")),
        Error::AlertReceived(alert) => of_alert(alert),
        // What HTTP in the clear, or any other protocol, looks like.
        Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => TlsProblem::NotTls,
        other => TlsProblem::Protocol(other.to_string()),
    }
}

fn of_certificate(error: CertificateError) -> TlsProblem {
    use CertificateError as Bad;
    match error {
        Bad::UnknownIssuer => TlsProblem::UnknownIssuer,
        Bad::Expired | Bad::ExpiredContext { .. } => TlsProblem::Expired,
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => TlsProblem::NotYetValid,
        Bad::NotValidForName => TlsProblem::WrongName { presented: "others".to_owned() },
        Bad::NotValidForNameContext { presented, .. } => {
            let presented = if presented.is_empty() {
                "no name at all".to_owned()
            } else {
                presented.iter().map(|name| plain_name(name)).collect::<Vec<_>>().join(", ")
            };
            TlsProblem::WrongName { presented }
        }
        other => TlsProblem::BadCertificate(other.to_string()),
    }
}

/// `DnsName("host")` as webpki writes it, without its wrapping.
fn plain_name(name: &str) -> &str {
    let inside = name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    inside.unwrap_or(name)
}

fn of_alert(alert: AlertDescription) -> TlsProblem {
    use AlertDescription as Alert;
    let text = match alert {
        Alert::CertificateRequired => "it asks for a client certificate, and none was given",
        Alert::UnknownCA => "it does not trust the issuer of our client certificate",
        Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate => {
            "it does not accept our client certificate"
        }
        Alert::CertificateExpired => "our client certificate has expired",
        Alert::ProtocolVersion => "it speaks no version of TLS that is allowed here",
        Alert::HandshakeFailure => "it found nothing in common, or wants a client certificate",
        Alert::UnrecognisedName => "it serves no such name",
        Alert::NoApplicationProtocol => "it speaks none of the protocols that were offered (ALPN)",
        other => return TlsProblem::Refused(format!("{other:?}")),
    };
    TlsProblem::Refused(text.to_owned())
}

/// The name for SNI and for the check of the certificate. An IPv6 address stands without brackets.
pub(super) fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).ok()
}
