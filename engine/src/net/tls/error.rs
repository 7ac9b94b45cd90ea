//! What can go wrong between two ends that speak TLS, in plain words.

/// TLS with a peer failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TLS with {peer}: {problem}")]
pub struct TlsError {
    /// The host that was asked for, with its address.
    pub peer: String,
    /// What is wrong.
    pub problem: TlsProblem,
}

/// What is wrong with a peer, or with what we offer it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// Nobody that is trusted has signed the certificate.
    #[error(
        "the issuer of its certificate is not trusted; if it is an authority of your own, give its \
         certificate as the root to trust"
    )]
    UnknownIssuer,
    /// The certificate's time is over.
    #[error("its certificate has expired, or the clock of this machine is wrong")]
    Expired,
    /// The certificate's time has not begun.
    #[error("its certificate is not valid yet, or the clock of this machine is wrong")]
    NotYetValid,
    /// The certificate is for somebody else.
    #[error("its certificate is not for this name but for {presented}; connect to that name")]
    WrongName {
        /// The names in the certificate.
        presented: String,
    },
    /// The certificate cannot be used for another reason.
    #[error("its certificate is refused: {0}")]
    BadCertificate(String),
    /// The two ends have no version or cipher in common.
    #[error("no version or cipher in common: {0}")]
    NothingInCommon(String),
    /// The peer said no, in an alert.
    #[error("it refused: {0}")]
    Refused(String),
    /// What came is no TLS.
    #[error("it does not speak TLS; check the port and the scheme")]
    NotTls,
    /// The peer closed before the handshake had ended.
    #[error("it closed the connection during the handshake; perhaps it does not speak TLS there")]
    ClosedInHandshake,
    /// The connection ended without the peer's word that it had sent everything.
    #[error("it closed the connection without a close_notify: what came may be cut short")]
    CutOff,
    /// A message that is larger than the buffer of the connection.
    #[error("a handshake message is larger than {limit_bytes} bytes; raise tls.receive_bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The peer broke the rules of the protocol, or bytes were changed on their way.
    #[error("{0}")]
    Protocol(String),
}

impl TlsError {
    /// Whether another try would end the same way: the certificate, the versions, the refusal.
    pub fn is_permanent(&self) -> bool {
        !matches!(
            self.problem,
            TlsProblem::ClosedInHandshake | TlsProblem::CutOff | TlsProblem::Protocol(_)
        )
    }
}
