//! The network of a world: listeners, and connections of two byte streams with bounded buffers.
//!
//! This file knows streams and ends, not operations: what a change means for those that wait is
//! left in [`Network::take_effects`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::request::{Memory, ObjectId};

/// One end of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndId {
    connection: u64,
    side: usize,
}

/// What a change in the network means for others.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Operations that wait for this object may be able to go on.
    Changed(ObjectId),
    /// A piece of this zero-copy send is no longer needed by the network.
    Released(u64),
}

/// What a receiver meets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Bytes(usize),
    /// The peer has closed, and everything was received.
    Ended,
    /// The connection was reset; reported once.
    Reset,
    Nothing,
}

/// What a sender meets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// Bytes that fit in the buffer now.
    Space(usize),
    /// The peer is gone; it will answer with a reset.
    Gone,
    /// The connection was reset; reported once.
    Reset,
    /// It was reset, and that has been reported.
    Broken,
}

/// What a connect meets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Connecting {
    Connected(EndId),
    Refused,
    /// Until this object changes: the listener, whose backlog is full, or the socket itself, which
    /// nobody answers.
    Waiting(ObjectId),
}

/// All listeners and connections.
#[derive(Debug, Default)]
pub(super) struct Network {
    listeners: BTreeMap<ObjectId, Listener>,
    connections: BTreeMap<u64, Connection>,
    black_holes: BTreeSet<SocketAddr>,
    next_connection: u64,
    next_port: u16,
    effects: Vec<Effect>,
}

#[derive(Debug)]
struct Listener {
    address: SocketAddr,
    backlog: VecDeque<EndId>,
}

/// `streams[side]` carries what the end `side` sends.
#[derive(Debug)]
struct Connection {
    ends: [End; 2],
    streams: [Stream; 2],
}

#[derive(Debug)]
struct End {
    object: Option<ObjectId>,
    open: bool,
    reset: Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reset {
    No,
    Unreported,
    Reported,
}

#[derive(Debug, Default)]
struct Stream {
    segments: VecDeque<Segment>,
    bytes: usize,
    /// Bytes that were received out of it so far.
    taken_bytes: u64,
    finished: bool,
}

#[derive(Debug)]
enum Segment {
    Copied {
        bytes: Vec<u8>,
        at: usize,
    },
    /// Still in the sender's memory, and lent by this zero-copy send.
    Lent {
        memory: Memory,
        by: u64,
    },
}

/// The first port that is given out when none is named, as Linux does.
const PORT_FIRST: u16 = 32768;

impl Network {
    /// Port 0 takes a free one; an address that is taken is EADDRINUSE.
    pub(super) fn listen(&mut self, object: ObjectId, mut address: SocketAddr) -> Result<(), i32> {
        if address.port() == 0 {
            address.set_port(self.fresh_port());
        }
        if self.listeners.values().any(|listener| listener.address == address) {
            return Err(libc::EADDRINUSE);
        }
        self.listeners.insert(object, Listener { address, backlog: VecDeque::new() });
        Ok(())
    }

    /// Who connects there is never answered.
    pub(super) fn add_black_hole(&mut self, address: SocketAddr) {
        self.black_holes.insert(address);
    }

    pub(super) fn connect(
        &mut self,
        object: ObjectId,
        to: SocketAddr,
        backlog_max: usize,
    ) -> Connecting {
        if self.black_holes.contains(&to) {
            return Connecting::Waiting(object);
        }
        let found = self.listeners.iter_mut().find(|(_, listener)| listener.address == to);
        let Some((listener_object, listener)) = found else { return Connecting::Refused };
        if listener.backlog.len() >= backlog_max {
            return Connecting::Waiting(*listener_object);
        }
        let connection = self.next_connection;
        self.next_connection += 1;
        listener.backlog.push_back(EndId { connection, side: 1 });
        self.effects.push(Effect::Changed(*listener_object));
        let ends = [End::new(Some(object)), End::new(None)];
        self.connections.insert(connection, Connection { ends, streams: Default::default() });
        Connecting::Connected(EndId { connection, side: 0 })
    }

    pub(super) fn has_backlog(&self, listener: ObjectId) -> bool {
        !self.listeners[&listener].backlog.is_empty()
    }

    /// Hands the oldest connection of the backlog to `object`.
    pub(super) fn accept(&mut self, listener: ObjectId, object: ObjectId) -> Option<EndId> {
        let end = self.listeners.get_mut(&listener)?.backlog.pop_front()?;
        self.end(end).object = Some(object);
        self.effects.push(Effect::Changed(listener));
        Some(end)
    }

    pub(super) fn incoming(&self, id: EndId) -> Incoming {
        let connection = &self.connections[&id.connection];
        let stream = &connection.streams[1 - id.side];
        match connection.ends[id.side].reset {
            _ if stream.bytes > 0 => Incoming::Bytes(stream.bytes),
            Reset::Unreported => Incoming::Reset,
            Reset::Reported => Incoming::Ended,
            Reset::No if stream.finished => Incoming::Ended,
            Reset::No => Incoming::Nothing,
        }
    }

    /// Takes `memory.len()` bytes, which [`Network::incoming`] has promised.
    pub(super) fn receive(&mut self, id: EndId, memory: Memory) {
        let connection = self.connection(id);
        let bytes = connection.streams[1 - id.side].take(memory.len());
        memory.write(&bytes.data);
        self.effects.extend(bytes.released.into_iter().map(Effect::Released));
        self.changed(id.peer());
    }

    pub(super) fn outgoing(&self, id: EndId, buffer_bytes: usize) -> Outgoing {
        let connection = &self.connections[&id.connection];
        match connection.ends[id.side].reset {
            Reset::Unreported => Outgoing::Reset,
            Reset::Reported => Outgoing::Broken,
            Reset::No if !connection.ends[1 - id.side].open => Outgoing::Gone,
            Reset::No => {
                let held = connection.streams[id.side].bytes;
                Outgoing::Space(buffer_bytes.saturating_sub(held))
            }
        }
    }

    /// Puts `memory` into the stream, lent by the zero-copy send `lent_by` or else copied.
    pub(super) fn send(&mut self, id: EndId, memory: Memory, lent_by: Option<u64>) {
        let stream = &mut self.connection(id).streams[id.side];
        stream.bytes += memory.len();
        stream.segments.push_back(match lent_by {
            Some(by) => Segment::Lent { memory, by },
            None => {
                let mut bytes = Vec::with_capacity(memory.len());
                memory.read_into(&mut bytes);
                Segment::Copied { bytes, at: 0 }
            }
        });
        self.changed(id.peer());
    }

    /// Bytes sent by this end that the other has received.
    pub(super) fn acknowledged_bytes(&self, id: EndId) -> u64 {
        self.connections[&id.connection].streams[id.side].taken_bytes
    }

    /// Bytes sent by this end that the other has not received yet.
    pub(super) fn unacknowledged_bytes(&self, id: EndId) -> u64 {
        self.connections[&id.connection].streams[id.side].bytes as u64
    }

    /// Bytes sent by the other end that this one has not received yet.
    pub(super) fn unread_bytes(&self, id: EndId) -> u64 {
        self.unacknowledged_bytes(id.peer())
    }

    pub(super) fn was_reset(&self, id: EndId) -> bool {
        self.connections[&id.connection].ends[id.side].reset != Reset::No
    }

    pub(super) fn reset_was_reported(&mut self, id: EndId) {
        self.end(id).reset = Reset::Reported;
    }

    /// Breaks the connection at once. What had arrived may still be received if `keep_arrived`;
    /// lent memory is given back in any case.
    pub(super) fn reset(&mut self, id: EndId, keep_arrived: bool) {
        let connection = self.connection(id);
        let mut released = Vec::new();
        for stream in &mut connection.streams {
            released.extend(stream.cut(keep_arrived));
        }
        for end in connection.ends.iter_mut().filter(|end| end.reset == Reset::No) {
            end.reset = Reset::Unreported;
        }
        self.effects.extend(released.into_iter().map(Effect::Released));
        self.changed(id);
        self.changed(id.peer());
    }

    /// All connections, one end of each.
    pub(super) fn connections(&self) -> Vec<EndId> {
        self.connections
            .keys()
            .map(|connection| EndId { connection: *connection, side: 0 })
            .collect()
    }

    /// The last descriptor of an end is gone. What it has sent can still be received; what it has
    /// not received resets the connection, as TCP does it (RFC 9293, section 3.6).
    pub(super) fn close_end(&mut self, id: EndId) {
        let connection = self.connection(id);
        let unread = connection.streams[1 - id.side].bytes > 0;
        connection.ends[id.side].open = false;
        connection.ends[id.side].object = None;
        connection.streams[id.side].finished = true;
        if unread {
            self.reset(id, false);
        }
        self.changed(id.peer());
        let connection = self.connection(id);
        if connection.ends.iter().all(|end| !end.open) {
            let released = connection.streams.iter_mut().flat_map(|stream| stream.cut(false));
            let released: Vec<u64> = released.collect();
            self.effects.extend(released.into_iter().map(Effect::Released));
            self.connections.remove(&id.connection);
        }
    }

    /// A listener is gone; what waits in its backlog is reset, and who waits to connect refused.
    pub(super) fn close_listener(&mut self, object: ObjectId) {
        let Some(listener) = self.listeners.remove(&object) else { return };
        for end in listener.backlog {
            self.reset(end, false);
            self.close_end(end);
        }
        self.effects.push(Effect::Changed(object));
    }

    pub(super) fn listener_address(&self, object: ObjectId) -> Option<SocketAddr> {
        self.listeners.get(&object).map(|listener| listener.address)
    }

    /// What has changed since the last call.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn changed(&mut self, id: EndId) {
        let end = self.connections.get(&id.connection).map(|connection| &connection.ends[id.side]);
        self.effects.extend(end.and_then(|end| end.object).map(Effect::Changed));
    }

    fn connection(&mut self, id: EndId) -> &mut Connection {
        self.connections.get_mut(&id.connection).expect("a connection lives as long as its ends")
    }

    fn end(&mut self, id: EndId) -> &mut End {
        &mut self.connection(id).ends[id.side]
    }

    fn fresh_port(&mut self) -> u16 {
        let port = self.next_port.max(PORT_FIRST);
        self.next_port = port.wrapping_add(1);
        port
    }
}

impl EndId {
    fn peer(self) -> EndId {
        EndId { side: 1 - self.side, ..self }
    }
}

impl End {
    fn new(object: Option<ObjectId>) -> End {
        End { object, open: true, reset: Reset::No }
    }
}

/// Bytes out of a stream, and the zero-copy sends that a piece of them was lent by.
struct Taken {
    data: Vec<u8>,
    released: Vec<u64>,
}

impl Stream {
    fn take(&mut self, len: usize) -> Taken {
        let mut taken = Taken { data: Vec::with_capacity(len), released: Vec::new() };
        while taken.data.len() < len {
            let segment = self.segments.front_mut().expect("the stream holds the bytes it counts");
            let want = len - taken.data.len();
            let count = want.min(segment.len());
            if let Some(lender) = segment.take(count, &mut taken.data) {
                taken.released.push(lender);
            }
            if segment.len() == 0 {
                self.segments.pop_front();
            }
        }
        self.bytes -= len;
        self.taken_bytes += len as u64;
        taken
    }

    /// Empties the stream, or keeps what was copied before the first lent piece.
    fn cut(&mut self, keep_arrived: bool) -> Vec<u64> {
        let is_lent = |segment: &Segment| matches!(segment, Segment::Lent { .. });
        let kept = match keep_arrived {
            true => self.segments.iter().position(is_lent).unwrap_or(self.segments.len()),
            false => 0,
        };
        let cut = self.segments.split_off(kept);
        self.bytes = self.segments.iter().map(Segment::len).sum();
        let lender = |segment: &Segment| match segment {
            Segment::Lent { by, .. } => Some(*by),
            Segment::Copied { .. } => None,
        };
        cut.iter().filter_map(lender).collect()
    }
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Segment::Copied { bytes, at } => bytes.len() - at,
            Segment::Lent { memory, .. } => memory.len(),
        }
    }

    /// Moves `count` bytes out; names the lender once nothing of its piece is left.
    fn take(&mut self, count: usize, into: &mut Vec<u8>) -> Option<u64> {
        match self {
            Segment::Copied { bytes, at } => {
                into.extend_from_slice(&bytes[*at..*at + count]);
                *at += count;
                None
            }
            Segment::Lent { memory, by } => {
                memory.part(0, count).read_into(into);
                *memory = memory.part(count, memory.len() - count);
                (memory.len() == 0).then_some(*by)
            }
        }
    }
}
