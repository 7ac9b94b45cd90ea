//! `Expect: 100-continue`: a large body waits until the server wants it (RFC 9110 section 10.1.1).
//!
//! A server that refuses says so before the body has cost anything. One that says nothing gets the
//! body after a while all the same: many know nothing of the expectation.

/// Whether a body may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyGate {
    /// It may.
    Open,
    /// The server is being asked.
    Waiting,
    /// The server has answered without it: it is not sent, and the connection is not used again,
    /// because the server may still take what comes next for the body.
    Withheld,
}

/// What happened while a body waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An interim answer with this status.
    Interim(u16),
    /// The answer itself, or the end of the connection.
    Answer,
    /// Nothing for as long as is waited.
    Silence,
}

impl BodyGate {
    /// What becomes of the body. Once it may be sent, or is not to be, that stays so.
    pub fn after(self, heard: Heard) -> BodyGate {
        match (self, heard) {
            (BodyGate::Waiting, Heard::Interim(100) | Heard::Silence) => BodyGate::Open,
            (BodyGate::Waiting, Heard::Answer) => BodyGate::Withheld,
            (gate, _) => gate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BodyGate::*;
    use Heard::*;

    #[test]
    fn a_body_goes_out_when_it_is_wanted_or_after_the_wait() {
        for (heard, gate) in [
            (vec![], Waiting),
            (vec![Interim(103)], Waiting),
            (vec![Interim(103), Interim(100)], Open),
            (vec![Silence], Open),
            (vec![Answer], Withheld),
            (vec![Interim(102), Answer], Withheld),
            (vec![Interim(100), Answer], Open),
            (vec![Silence, Interim(100), Answer], Open),
            (vec![Answer, Interim(100), Silence], Withheld),
        ] {
            let after = heard.iter().fold(Waiting, |gate, heard| gate.after(*heard));
            assert_eq!(after, gate, "{heard:?}");
            assert_eq!(heard.iter().fold(Open, |gate, heard| gate.after(*heard)), Open);
        }
    }
}
