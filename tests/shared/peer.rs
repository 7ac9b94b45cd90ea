//! A server that does byte for byte what a script says.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpSocket;

/// A server with a script. Dropping it ends all its connections and threads.
#[derive(Debug)]
pub struct Peer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    seen: Vec<Seen>,
    /// A second handle of each connection, to end it with.
    streams: Vec<Option<TcpStream>>,
    connections: Vec<JoinHandle<()>>,
}

/// The head of a request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// How many requests came before, over all connections.
    pub number: usize,
    /// Which connection it came over, counted from 0.
    pub connection: usize,
    /// `GET` and so on.
    pub method: String,
    /// Path and query.
    pub target: String,
    headers: Vec<(String, String)>,
}

/// The connection that a request came over.
#[derive(Debug)]
pub struct Wire {
    stream: Option<TcpStream>,
    connection: usize,
    shared: Arc<Shared>,
    body_left: usize,
    /// The client waits for `100 Continue`.
    awaited: bool,
}

impl Peer {
    /// Listens, and runs `script` for each request. Where the script leaves a connection open, the
    /// next request may come over it.
    pub fn start(
        script: impl Fn(&Seen, &mut Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Peer {
        Peer::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// The same at an address of the caller's choice.
    pub fn start_at(
        at: SocketAddr,
        script: impl Fn(&Seen, &mut Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Peer {
        let listener = TcpListener::bind(at).expect("a port");
        let addr = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let (state, script) = (Arc::clone(&shared), Arc::new(script));
        let accepting = thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let stream = stream.expect("a connection");
                let mut locked = state.lock();
                if locked.stopping {
                    return;
                }
                locked.streams.push(Some(stream.try_clone().expect("a second handle")));
                let (shared, script) = (Arc::clone(&state), Arc::clone(&script));
                locked.connections.push(thread::spawn(move || {
                    let _closing = EndOnPanic { shared: Arc::clone(&shared), connection };
                    // A script's own end, and a client that went away, end the connection.
                    let _ = serve(stream, connection, shared, &*script);
                }));
            }
        });
        Peer { addr, shared, accepting: Some(accepting) }
    }

    /// The endpoint: `http://ADDR`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections that were made so far.
    pub fn connections(&self) -> usize {
        self.shared.lock().streams.len()
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        // Wakes the accept.
        let _ = TcpStream::connect(self.addr);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let (streams, connections) = {
            let mut state = self.shared.lock();
            (std::mem::take(&mut state.streams), std::mem::take(&mut state.connections))
        };
        for stream in streams.into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for connection in connections {
            let _ = connection.join();
        }
    }
}

/// Ends a connection whose script panics: the client would wait for it until it stalls.
struct EndOnPanic {
    shared: Arc<Shared>,
    connection: usize,
}

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(stream) = self.shared.lock().streams[self.connection].take()
        {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// The value of a header; names are in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// First and last byte of the range that is asked for.
    pub fn range(&self) -> Option<(usize, usize)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    }

    /// The head of a good answer to a ranged GET, and the bytes that were asked for; `etag` in its quotes.
    ///
    /// # Panics
    /// It asks for no range.
    pub fn ranged<'a>(&self, data: &'a [u8], etag: &str) -> (String, &'a [u8]) {
        let (first, last) = self.range().expect("a ranged GET");
        let body = &data[first..(last + 1).min(data.len())];
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Length: {}\r\n\
             Content-Range: bytes {first}-{}/{}\r\n\r\n",
            body.len(),
            first + body.len() - 1,
            data.len()
        );
        (head, body)
    }
}

impl Wire {
    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The client has gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream()?.write_all(bytes)
    }

    /// Sends bytes one by one, each a segment of its own.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub fn send_bytewise(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream()?.set_nodelay(true)?;
        for byte in bytes {
            self.send(std::slice::from_ref(byte))?;
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Receives the rest of the request's body, for which the client is told to go on where it waits.
    ///
    /// # Errors
    /// The client has gone.
    pub fn receive_body(&mut self) -> io::Result<Vec<u8>> {
        if std::mem::take(&mut self.awaited) {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.receive_body_unasked()
    }

    /// Receives the rest of the request's body, and never says that the client is to go on.
    ///
    /// # Errors
    /// The client has gone.
    pub fn receive_body_unasked(&mut self) -> io::Result<Vec<u8>> {
        let mut body = vec![0; std::mem::take(&mut self.body_left)];
        self.stream()?.read_exact(&mut body)?;
        Ok(body)
    }

    /// Receives whatever comes until the client ends the connection.
    ///
    /// # Errors
    /// The connection was reset.
    pub fn receive_rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.stream()?.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// Ends the connection after what was sent.
    pub fn close(&mut self) {
        if let Some(stream) = self.stream.take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Ends the connection with a reset.
    pub fn reset(&mut self) {
        if let Some(stream) = self.stream.take() {
            let socket = TcpSocket::from_std_stream(stream);
            socket.set_zero_linger().expect("a socket option");
            // It is the last handle that resets.
            self.shared.lock().streams[self.connection] = None;
            drop(socket);
        }
    }

    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

fn serve(
    stream: TcpStream,
    connection: usize,
    shared: Arc<Shared>,
    script: &dyn Fn(&Seen, &mut Wire) -> io::Result<()>,
) -> io::Result<()> {
    let mut wire = Wire {
        stream: Some(stream),
        connection,
        shared: Arc::clone(&shared),
        body_left: 0,
        awaited: false,
    };
    while wire.stream.is_some() {
        let head = receive_head(wire.stream()?)?;
        let mut seen = parse(&head, connection);
        {
            let mut state = shared.lock();
            seen.number = state.seen.len();
            state.seen.push(seen.clone());
        }
        let length = seen.header("content-length").and_then(|text| text.parse().ok());
        wire.body_left = length.unwrap_or(0);
        wire.awaited = seen.header("expect").is_some();
        script(&seen, &mut wire)?;
        if wire.stream.is_some() {
            wire.receive_body()?;
        }
    }
    Ok(())
}

/// Byte by byte, so that the body stays in the socket for the script.
fn receive_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn parse(head: &str, connection: usize) -> Seen {
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let mut word = || first.next().unwrap_or_default().to_owned();
    let (method, target) = (word(), word());
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Seen { number: 0, connection, method, target, headers: headers.collect() }
}
