//! Connections that echo, and connects that nobody answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use hydrant_engine::{ConnectLimits, Error, Lease, RecvMode, SendList, TcpStream};

use super::Worker;
use crate::host::{self, LIMIT, check, drop_after, join};

const MESSAGE_BYTES: usize = 32 << 10;

/// Where no connect is ever answered.
pub(super) fn black_hole() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 80))
}

impl Worker {
    /// One connection that echoes until a fault or a dropped future ends it.
    pub(super) async fn one_connection(&self) {
        self.count();
        if self.below(8) == 0 {
            self.connect_to_nobody().await;
        }
        let listener = self.place.listen();
        if self.below(3) == 0 {
            // Nobody connects. Once its cancel has arrived it takes nobody else's connection.
            assert!(drop_after(1, listener.accept(&self.core)).await.is_none());
            self.core.sleep(Duration::from_secs(5)).await;
        }
        let Some(near) = self.connect(listener.local_addr()).await else { return };
        let Some(far) = self.fair(listener.accept(&self.core).await) else { return };
        for _ in 0..12 {
            let polls = if self.below(10) == 0 { 1 + self.below(8) } else { usize::MAX };
            match drop_after(polls, self.echo(&near, &far)).await {
                Some(Some(())) => {}
                Some(None) | None => return,
            }
        }
    }

    /// By its address, or by several of which it is the one that answers.
    async fn connect(&self, address: SocketAddr) -> Option<TcpStream> {
        if self.below(3) > 0 {
            return self.fair(TcpStream::connect(&self.core, address, LIMIT).await);
        }
        let addresses = [black_hole(), address];
        let limits = ConnectLimits::default();
        match TcpStream::connect_any(&self.core, &addresses, &limits).await {
            // The only one that answers was refused.
            Err(Error::Stalled { .. } | Error::Connect { .. }) if self.stormy => None,
            connected => self.fair(connected),
        }
    }

    /// Nobody answers, until the limit or until the future is dropped.
    async fn connect_to_nobody(&self) {
        let (start, limit) = (self.core.now(), Duration::from_millis(1 + self.below(3000) as u64));
        let connecting = TcpStream::connect(&self.core, black_hole(), limit);
        match drop_after(self.polls(3), connecting).await {
            Some(Err(Error::Stalled { .. })) => assert!(self.core.now() - start >= limit),
            Some(connected) => assert!(self.fair(connected).is_none(), "nobody is there"),
            None => {}
        }
    }

    /// There and back; `None` after an error that was fair.
    async fn echo(&self, near: &TcpStream, far: &TcpStream) -> Option<()> {
        // Short ones more often than long ones, which take the time.
        let bytes_max = 1 + self.below(MESSAGE_BYTES);
        let (len, seed) = (1 + self.below(bytes_max), self.core.random_u64());
        let data = host::filled(&self.core, len, seed).await;
        let there = self.pass_on(near, far, data).await?;
        let back = self.pass_on(far, near, there).await?;
        check(back.as_slice(), seed);
        Some(())
    }

    /// Sends all of a lease, in one piece or in two.
    async fn send(&self, from: &TcpStream, data: Lease) -> Result<usize, Error> {
        let len = data.len();
        if self.below(4) > 0 {
            return from.send(data, 0..len, self.below(2) == 0, LIMIT).await.0;
        }
        let cut = self.below(len);
        let mut list = SendList::new();
        let head = Bytes::copy_from_slice(&data.as_slice()[..cut]);
        list.push(head, 0..cut).expect("room");
        list.push(data, cut..len).expect("room");
        from.send_list(list, LIMIT).await.0
    }

    /// Sends all of a lease, and gives the lease that it was received into.
    async fn pass_on(&self, from: &TcpStream, to: &TcpStream, data: Lease) -> Option<Lease> {
        self.count();
        self.count();
        let len = data.len();
        let room = self.lease(len).await;
        let sending = self.send(from, data);
        let receiving = to.recv(room, 0..len, RecvMode::Fill, LIMIT);
        let (sent, (received, room)) = join(sending, receiving).await;
        let mut room = room.into_lease().expect("it went in as a lease");
        let (sent, received) = (self.fair(sent), self.fair(received.map_err(Error::from)));
        if received? < len {
            assert!(self.stormy, "nobody closed");
            return None;
        }
        assert_eq!(sent?, len);
        room.set_len(len);
        Some(room)
    }
}
