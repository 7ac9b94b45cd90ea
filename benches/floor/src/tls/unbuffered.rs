//! The interface without buffers, which Hydrant's engine uses too: records are decrypted where they
//! lie, and each is lent out in memory of its own.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};

use super::{Session, Sink, broken, closed};
use crate::failure::Result;

/// What encryption adds to a request, which is one record.
const RECORD_OVERHEAD_BYTES: usize = 64;

pub(super) struct Unbuffered {
    connection: UnbufferedClientConnection,
    /// Records of the handshake that are to be sent.
    answers: Vec<u8>,
}

impl Unbuffered {
    pub(super) fn new(connection: UnbufferedClientConnection) -> Unbuffered {
        Unbuffered { connection, answers: Vec::new() }
    }
}

impl Session for Unbuffered {
    fn take(&mut self, records: &mut [u8], sink: &mut Sink<'_>) -> Result<usize> {
        let mut taken = 0;
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut records[taken..]);
            taken += discard;
            match state.map_err(broken)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(broken)?;
                        taken += record.discard;
                        sink(record.payload)?;
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => append(&mut data, &mut self.answers)?,
                ConnectionState::TransmitTlsData(sent) => sent.done(),
                ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => {
                    return Ok(taken);
                }
                _ => return Err(closed()),
            }
        }
    }

    fn answers(&mut self) -> Result<Vec<u8>> {
        Ok(std::mem::take(&mut self.answers))
    }

    fn encrypt(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut out = self.answers()?;
        loop {
            match self.connection.process_tls_records(&mut []).state.map_err(broken)? {
                ConnectionState::EncodeTlsData(mut data) => append(&mut data, &mut out)?,
                ConnectionState::TransmitTlsData(sent) => sent.done(),
                ConnectionState::WriteTraffic(mut traffic) => {
                    let from = out.len();
                    out.resize(from + plain.len() + RECORD_OVERHEAD_BYTES, 0);
                    let count = traffic.encrypt(plain, &mut out[from..]).map_err(broken)?;
                    out.truncate(from + count);
                    return Ok(out);
                }
                _ => return Err(closed()),
            }
        }
    }

    fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }
}

fn append(data: &mut EncodeTlsData<'_, ClientConnectionData>, out: &mut Vec<u8>) -> Result<()> {
    let from = out.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        out.resize(from + size.required_size, 0);
        data.encode(&mut out[from..]).map_err(broken)?;
    }
    Ok(())
}
