//! One end of a TLS session, without I/O: records in, plaintext out, records to send.
//!
//! The state machine, the keys and the checks are those of `rustls`; it draws its randomness from the
//! kernel, and asks the time only to judge certificates. What the peer makes us answer after the
//! handshake, such as a key update, is kept and goes out before the next application data, which is
//! when RFC 8446 (section 4.6.3) wants it.

#![forbid(unsafe_code)]

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
    UnbufferedStatus,
};
use rustls::{CommonState, Error, HandshakeKind};

/// The answers that may wait to be sent. `rustls` answers a few times only, then it gives up.
const CONTROL_BYTES_MAX: usize = 64 << 10;

/// One end of a session.
pub(super) struct Session {
    side: Side,
    /// Records that are to be sent.
    control: Vec<u8>,
    /// What `rustls` has read but still refers to: the start of a handshake message that did not
    /// come whole. Empty nearly always.
    fragment: Vec<u8>,
    peer_closed: bool,
}

enum Side {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes at the front of the records that are done with.
    pub(super) consumed: usize,
    pub(super) state: State,
}

/// Where the session stands after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Something was done; there may be more in the records.
    Progress,
    /// The rest of the records is the beginning of one.
    NeedsMore,
    /// The peer has said that nothing more comes.
    PeerClosed,
}

impl Session {
    pub(super) fn client(connection: UnbufferedClientConnection) -> Session {
        Session::new(Side::Client(Box::new(connection)))
    }

    pub(super) fn server(connection: UnbufferedServerConnection) -> Session {
        Session::new(Side::Server(Box::new(connection)))
    }

    fn new(side: Side) -> Session {
        Session { side, control: Vec::new(), fragment: Vec::new(), peer_closed: false }
    }

    /// Works on `records` for a step, decrypting them in place; application data, at most one record
    /// of it, goes to `sink`.
    ///
    /// # Errors
    /// What is wrong with the peer. An alert for it may be in [`Session::take_control`].
    pub(super) fn step(
        &mut self,
        records: &mut [u8],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Step, Error> {
        if self.peer_closed {
            return Ok(Step { consumed: 0, state: State::PeerClosed });
        }
        let step = match &mut self.side {
            Side::Client(it) => step(&mut **it, records, &mut self.control, sink),
            Side::Server(it) => step(&mut **it, records, &mut self.control, sink),
        }?;
        self.peer_closed = step.state == State::PeerClosed;
        self.fragment.clear();
        if step.state == State::NeedsMore {
            let rest = &records[step.consumed..];
            if first_is_whole(rest) {
                self.fragment.extend_from_slice(rest);
            }
        }
        if self.control.len() > CONTROL_BYTES_MAX {
            return Err(Error::General("the peer asks for answers without end".to_owned()));
        }
        Ok(step)
    }

    /// Encrypts all of `plain` into `out`, behind the answers that wait; tells how much of `out` is
    /// to be sent.
    ///
    /// # Errors
    /// `out` is too small, or the keys are used up.
    pub(super) fn encrypt(&mut self, plain: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.write(Job::Encrypt(plain), out)
    }

    /// Writes the word that nothing more comes into `out`.
    ///
    /// # Errors
    /// As [`Session::encrypt`].
    pub(super) fn close(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        self.write(Job::Close, out)
    }

    fn write(&mut self, job: Job<'_>, out: &mut [u8]) -> Result<usize, Error> {
        let waiting = std::mem::take(&mut self.control);
        let Some((front, rest)) = out.split_at_mut_checked(waiting.len()) else {
            return Err(too_small(waiting.len()));
        };
        front.copy_from_slice(&waiting);
        let (fragment, closed) = (&mut self.fragment, &mut self.peer_closed);
        let written = match &mut self.side {
            Side::Client(it) => write(&mut **it, fragment, closed, job, rest),
            Side::Server(it) => write(&mut **it, fragment, closed, job, rest),
        };
        Ok(waiting.len() + written?)
    }

    /// Records that are to be sent: those of the handshake, alerts.
    pub(super) fn take_control(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.control)
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.common().is_handshaking()
    }

    pub(super) fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Whether the handshake went the short way, by a session that was kept.
    pub(super) fn is_resumed(&self) -> bool {
        self.common().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(super) fn common(&self) -> &CommonState {
        match &self.side {
            Side::Client(it) => it,
            Side::Server(it) => it,
        }
    }
}

/// The one thing that the two ends do not have in common.
trait Endpoint {
    type Data;
    fn common(&self) -> &CommonState;
    fn process<'c, 'i>(&'c mut self, records: &'i mut [u8])
    -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Endpoint for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn common(&self) -> &CommonState {
        self
    }

    fn process<'c, 'i>(
        &'c mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }
}

impl Endpoint for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn common(&self) -> &CommonState {
        self
    }

    fn process<'c, 'i>(
        &'c mut self,
        records: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(records)
    }
}

/// What is to be written once traffic may flow.
#[derive(Clone, Copy)]
enum Job<'a> {
    Encrypt(&'a [u8]),
    Close,
}

fn step<E: Endpoint>(
    end: &mut E,
    records: &mut [u8],
    control: &mut Vec<u8>,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<Step, Error> {
    let UnbufferedStatus { discard: mut consumed, state } = end.process(records);
    let state = match state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                consumed += record.discard;
                sink(record.payload);
            }
            State::Progress
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            append(&mut data, control)?;
            State::Progress
        }
        // It stands in `control`, and is sent before anything else.
        Ok(ConnectionState::TransmitTlsData(sent)) => {
            sent.done();
            State::Progress
        }
        Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => {
            State::NeedsMore
        }
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => State::PeerClosed,
        // Never offered, so never taken up.
        Ok(_) => return Err(Error::General("early data that nobody offered".to_owned())),
        Err(error) => {
            // What was said before, and the alert that tells the peer why.
            let rest = &mut records[consumed..];
            while end.common().wants_write()
                && let Ok(ConnectionState::EncodeTlsData(mut data)) = end.process(rest).state
            {
                append(&mut data, control)?;
            }
            return Err(error);
        }
    };
    Ok(Step { consumed, state })
}

fn append<Data>(data: &mut EncodeTlsData<'_, Data>, control: &mut Vec<u8>) -> Result<(), Error> {
    let from = control.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        control.resize(from + size.required_size, 0);
        data.encode(&mut control[from..]).map_err(|error| Error::General(error.to_string()))?;
    }
    Ok(())
}

fn write<E: Endpoint>(
    end: &mut E,
    fragment: &mut [u8],
    peer_closed: &mut bool,
    job: Job<'_>,
    out: &mut [u8],
) -> Result<usize, Error> {
    let mut written = 0;
    loop {
        match end.process(fragment).state? {
            ConnectionState::EncodeTlsData(mut data) => {
                let encoded = data.encode(&mut out[written..]);
                written += encoded.map_err(|error| Error::General(error.to_string()))?;
            }
            ConnectionState::TransmitTlsData(sent) => sent.done(),
            ConnectionState::PeerClosed => *peer_closed = true,
            ConnectionState::WriteTraffic(mut traffic) => {
                let room = &mut out[written..];
                let wrote = match job {
                    Job::Encrypt(plain) => traffic.encrypt(plain, room),
                    Job::Close => traffic.queue_close_notify(room),
                };
                return match wrote {
                    Ok(more) => Ok(written + more),
                    Err(EncryptError::InsufficientSize(InsufficientSizeError {
                        required_size,
                    })) => Err(too_small(required_size)),
                    Err(error) => Err(Error::General(error.to_string())),
                };
            }
            // Both have closed; a second word that nothing more comes is none.
            ConnectionState::Closed if matches!(job, Job::Close) => return Ok(written),
            _ => return Err(Error::HandshakeNotComplete),
        }
    }
}

fn too_small(needed: usize) -> Error {
    Error::General(format!("the buffer for records is too small: {needed} bytes are needed"))
}

/// Whether a whole record stands at the front. After a step that wants more this means that it was
/// read and is still referred to.
fn first_is_whole(records: &[u8]) -> bool {
    match records {
        [_, _, _, high, low, rest @ ..] => {
            rest.len() >= usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
