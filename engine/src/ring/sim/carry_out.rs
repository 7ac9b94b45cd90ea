//! Carrying out one operation when its time has come: what the system call would do.

use super::faults::Fault;
use super::network::{Connecting, EndId, Incoming, Outgoing};
use super::object::{Kind, OpenFile, Socket};
use super::random::Random;
use super::request::{Memory, ObjectId, Request, StatxTarget};
use super::state::{Operation, OperationId, Progress, State};
use crate::op::{OpenHow, Span};

/// The time of day at the start of a world: 2024-01-01T00:00:00Z.
const START_UNIX_SECONDS: u64 = 1_704_067_200;

type Result<T, E = i32> = std::result::Result<T, E>;

impl State {
    pub(super) fn carry_out(
        &mut self,
        id: OperationId,
        operation: &mut Operation,
    ) -> Result<Progress> {
        let Operation { request, done, begun, .. } = operation;
        if !*begun {
            self.inject(request)?;
        }
        let now_ns = self.now_ns;
        match request {
            Request::Open { dir, path, how } => return self.open(*dir, path, how),
            Request::Statx { dir, path, out } => self.statx(*dir, path, *out)?,
            Request::Read { uncached: true, .. } | Request::Write { uncached: true, .. }
                if !self.config.uncached_io =>
            {
                return Err(libc::EOPNOTSUPP);
            }
            Request::Read { file, memory, offset, .. } => {
                return self.read(*file, memory, *offset);
            }
            Request::Write { file, memory, offset, .. } => {
                return self.write(*file, memory, *offset);
            }
            Request::Advise { file, advice } => {
                let inode = self.objects.file(*file)?.inode;
                self.advice.insert(inode, *advice);
            }
            Request::Sync { file } => self.disk.sync(self.objects.file(*file)?.inode),
            Request::Allocate { file, offset, len } => self.allocate(*file, *offset, *len)?,
            Request::Truncate { file, len } => {
                let file = self.writable(*file)?;
                self.disk.truncate(file.inode, *len, now_ns)?;
            }
            Request::Rename { from, to, no_replace } => {
                let from = (self.base(from.0)?, from.1.as_slice());
                let to = (self.base(to.0)?, to.1.as_slice());
                self.disk.rename(from, to, *no_replace, now_ns)?;
            }
            Request::Link { file, dir, path } => {
                let (inode, base) = (self.objects.file(*file)?.inode, self.base(*dir)?);
                self.disk.link(inode, base, path, now_ns)?;
            }
            Request::Unlink { dir, path, directory } => {
                let base = self.base(*dir)?;
                self.disk.unlink(base, path, *directory, now_ns)?;
            }
            Request::Mkdir { dir, path, mode } => {
                let base = self.base(*dir)?;
                self.disk.mkdir(base, path, *mode, now_ns)?;
            }
            Request::Socket { ipv6 } => {
                return self.new_descriptor(Kind::Socket(Socket { ipv6: *ipv6, end: None }));
            }
            Request::Connect { socket, address } => return self.connect(*socket, *address),
            Request::Accept { listener } => return self.accept(*listener),
            Request::Recv { socket, memory, fill } => {
                return self.receive(*socket, memory, *fill, done);
            }
            Request::Send { socket, pieces, zero_copy } => {
                return self.send(*socket, pieces, zero_copy.then_some(id), done);
            }
            Request::Refused { errno } => return Err(*errno),
        }
        Ok(Progress::Ended(0))
    }

    /// Draws the faults that end an operation before it has done anything.
    fn inject(&mut self, request: &Request) -> Result<()> {
        if self.fails_this_one() {
            return Err(self.fail_for_good(request));
        }
        let resolves = libc::RESOLVE_BENEATH | libc::RESOLVE_IN_ROOT;
        let mut errors = Vec::new();
        match request {
            Request::Open { how, .. } => {
                errors.push((Fault::Interrupted, libc::EINTR));
                errors.push((Fault::IoError, libc::EIO));
                if how.resolve & resolves != 0 {
                    errors.push((Fault::Again, libc::EAGAIN));
                }
                if how.flags as i32 & libc::O_CREAT != 0 {
                    errors.push((Fault::NoSpace, libc::ENOSPC));
                }
            }
            Request::Read { .. } => {
                errors.push((Fault::Interrupted, libc::EINTR));
                errors.push((Fault::Again, libc::EAGAIN));
                errors.push((Fault::IoError, libc::EIO));
            }
            Request::Write { .. } | Request::Allocate { .. } => {
                errors.push((Fault::Interrupted, libc::EINTR));
                errors.push((Fault::IoError, libc::EIO));
                errors.push((Fault::NoSpace, libc::ENOSPC));
            }
            Request::Mkdir { .. } | Request::Link { .. } => {
                errors.push((Fault::IoError, libc::EIO));
                errors.push((Fault::NoSpace, libc::ENOSPC));
            }
            Request::Statx { .. }
            | Request::Sync { .. }
            | Request::Truncate { .. }
            | Request::Advise { .. }
            | Request::Rename { .. }
            | Request::Unlink { .. } => errors.push((Fault::IoError, libc::EIO)),
            Request::Connect { .. } => errors.push((Fault::Refused, libc::ECONNREFUSED)),
            Request::Accept { .. } => errors.push((Fault::Interrupted, libc::EINTR)),
            Request::Recv { socket, .. } | Request::Send { socket, .. } => {
                errors.push((Fault::Interrupted, libc::EINTR));
                errors.push((Fault::Again, libc::EAGAIN));
                self.inject_reset(*socket);
            }
            Request::Socket { .. } | Request::Refused { .. } => {}
        }
        let met = errors.into_iter().find(|(fault, _)| self.meets(*fault));
        let Some((_, errno)) = met else { return Ok(()) };
        if let Request::Sync { file } = request
            && let Ok(file) = self.objects.file(*file)
        {
            self.disk.fail_sync(file.inode);
        }
        Err(errno)
    }

    /// Counts this submission, where one is to fail.
    fn fails_this_one(&mut self) -> bool {
        let before = self.fails_in;
        self.fails_in = self.fails_in.saturating_sub(1);
        before == 1
    }

    /// What a kernel would say of it that no other try changes at once.
    fn fail_for_good(&mut self, request: &Request) -> i32 {
        match request {
            Request::Socket { .. } | Request::Accept { .. } => libc::EMFILE,
            Request::Connect { .. } => libc::ECONNREFUSED,
            Request::Recv { socket, .. } | Request::Send { socket, .. } => {
                if let Ok(end) = self.end_of(*socket) {
                    self.reset_connection(end);
                }
                libc::ECONNRESET
            }
            Request::Sync { file } => {
                if let Ok(file) = self.objects.file(*file) {
                    self.disk.fail_sync(file.inode);
                }
                libc::EIO
            }
            Request::Refused { errno } => *errno,
            _ => libc::EIO,
        }
    }

    fn inject_reset(&mut self, socket: ObjectId) {
        if self.meets(Fault::Reset)
            && let Ok(end) = self.end_of(socket)
        {
            self.reset_connection(end);
        }
    }

    fn new_descriptor(&mut self, kind: Kind) -> Result<Progress> {
        if self.objects.len() >= self.config.descriptors_max {
            return Err(libc::EMFILE);
        }
        Ok(Progress::Ended(self.objects.insert(kind) as i32))
    }

    fn base(&self, dir: Option<ObjectId>) -> Result<Option<u64>> {
        dir.map(|dir| self.objects.file(dir).map(|file| file.inode)).transpose()
    }

    fn writable(&self, file: ObjectId) -> Result<OpenFile> {
        let file = self.objects.file(file)?;
        if file.writable { Ok(file) } else { Err(libc::EINVAL) }
    }
}

/// Files.
impl State {
    fn open(&mut self, dir: Option<ObjectId>, path: &[u8], how: &OpenHow) -> Result<Progress> {
        if self.objects.len() >= self.config.descriptors_max {
            return Err(libc::EMFILE);
        }
        let flags = how.flags as i32;
        let direct = flags & libc::O_DIRECT != 0;
        let unnamed = flags & libc::O_TMPFILE == libc::O_TMPFILE;
        if unnamed && !self.config.unnamed_files {
            return Err(libc::EOPNOTSUPP);
        }
        if unnamed && direct && !self.config.direct_io {
            return Err(libc::EINVAL);
        }
        // As a file system without direct I/O does it: the file is made, and then not opened.
        let inode = self.disk.open(self.base(dir)?, path, how, self.now_ns)?;
        if direct && !self.config.direct_io {
            return Err(libc::EINVAL);
        }
        let access = flags & libc::O_ACCMODE;
        self.disk.opened(inode);
        self.new_descriptor(Kind::File(OpenFile {
            inode,
            readable: access != libc::O_WRONLY,
            writable: access != libc::O_RDONLY,
            append: flags & libc::O_APPEND != 0,
            locked: false,
            stale: false,
            direct,
        }))
    }

    fn statx(&mut self, dir: Option<ObjectId>, path: &[u8], out: StatxTarget) -> Result<()> {
        let base = self.base(dir)?;
        let inode = match base {
            Some(inode) if path.is_empty() => inode,
            _ => self.disk.look_up(base, path)?,
        };
        let stat = self.disk.stat(inode);
        // SAFETY: a plain structure of integers, for which zero is a value.
        let mut statx: libc::statx = unsafe { std::mem::zeroed() };
        statx.stx_mask = libc::STATX_BASIC_STATS | libc::STATX_DIOALIGN;
        statx.stx_ino = stat.inode;
        statx.stx_mode = stat.mode as u16;
        statx.stx_nlink = stat.links;
        statx.stx_size = stat.size_bytes;
        statx.stx_blksize = 4096;
        statx.stx_blocks = stat.size_bytes.div_ceil(512);
        statx.stx_mtime.tv_sec = (START_UNIX_SECONDS + stat.modified_ns / NS_A_SECOND) as i64;
        statx.stx_mtime.tv_nsec = (stat.modified_ns % NS_A_SECOND) as u32;
        statx.stx_ctime = statx.stx_mtime;
        let is_file = stat.mode & libc::S_IFMT == libc::S_IFREG;
        if self.config.direct_io && is_file {
            statx.stx_dio_mem_align = self.config.direct_align_bytes;
            statx.stx_dio_offset_align = self.config.direct_align_bytes;
        }
        out.write(statx);
        Ok(())
    }

    fn read(&mut self, file: ObjectId, memory: &Memory, offset: u64) -> Result<Progress> {
        let file = self.objects.file(file)?;
        if !file.readable {
            return Err(libc::EBADF);
        }
        let step = self.transfer_step(&file, memory, offset)?;
        let short = self.meets(Fault::ShortRead);
        let bytes = self.disk.read(file.inode, offset, memory.len())?;
        let count = if short { shorten(&mut self.random, bytes.len(), step) } else { bytes.len() };
        memory.write(&bytes[..count]);
        Ok(Progress::Ended(count as i32))
    }

    fn write(&mut self, file: ObjectId, memory: &Memory, offset: u64) -> Result<Progress> {
        let file = self.objects.file(file)?;
        if !file.writable {
            return Err(libc::EBADF);
        }
        let step = self.transfer_step(&file, memory, offset)?;
        let mut count = memory.len();
        if self.meets(Fault::ZeroWrite) {
            count = 0;
        } else if self.meets(Fault::ShortWrite) {
            count = shorten(&mut self.random, count, step);
        }
        let offset = if file.append { self.disk.stat(file.inode).size_bytes } else { offset };
        let mut bytes = Vec::with_capacity(count);
        memory.part(0, count).read_into(&mut bytes);
        let written = self.disk.write(file.inode, offset, &bytes, self.now_ns)?;
        Ok(Progress::Ended(written as i32))
    }

    fn allocate(&mut self, file: ObjectId, offset: u64, len: u64) -> Result<()> {
        let file = self.objects.file(file)?;
        if !file.writable {
            return Err(libc::EBADF);
        }
        let end = offset.checked_add(len).ok_or(libc::EFBIG)?;
        if len == 0 {
            return Err(libc::EINVAL);
        }
        self.disk.allocate(file.inode, end)
    }

    /// Checks a transfer as the kernel does, and tells what its length is counted in.
    fn transfer_step(&self, file: &OpenFile, memory: &Memory, offset: u64) -> Result<usize> {
        if i64::try_from(offset).is_err() {
            return Err(libc::EINVAL);
        }
        if !file.direct {
            return Ok(1);
        }
        let align = self.config.direct_align_bytes;
        let aligned =
            offset.is_multiple_of(u64::from(align)) && memory.is_aligned_to(align as usize);
        if aligned { Ok(align as usize) } else { Err(libc::EINVAL) }
    }
}

/// Sockets.
impl State {
    fn connect(&mut self, id: ObjectId, address: std::net::SocketAddr) -> Result<Progress> {
        let socket = self.objects.socket(id)?;
        if socket.end.is_some() {
            return Err(libc::EISCONN);
        }
        if socket.ipv6 != address.is_ipv6() {
            return Err(libc::EAFNOSUPPORT);
        }
        match self.network.connect(id, address, self.config.accept_backlog) {
            Connecting::Connected(end) => {
                self.objects.socket(id)?.end = Some(end);
                Ok(Progress::Ended(0))
            }
            Connecting::Refused => Err(libc::ECONNREFUSED),
            Connecting::Waiting(listener) => Ok(Progress::Waits(listener)),
        }
    }

    fn accept(&mut self, listener: ObjectId) -> Result<Progress> {
        self.objects.check_listener(listener)?;
        if !self.network.has_backlog(listener) {
            return Ok(Progress::Waits(listener));
        }
        let ipv6 = self.network.listener_address(listener).is_some_and(|it| it.is_ipv6());
        let progress = self.new_descriptor(Kind::Socket(Socket { ipv6, end: None }))?;
        if let Progress::Ended(descriptor) = progress {
            let socket = descriptor as ObjectId;
            self.objects.socket(socket)?.end = self.network.accept(listener, socket);
        }
        Ok(progress)
    }

    fn receive(
        &mut self,
        socket: ObjectId,
        memory: &Memory,
        fill: bool,
        done: &mut usize,
    ) -> Result<Progress> {
        let end = self.end_of(socket).map_err(not_connected(libc::ENOTCONN))?;
        while *done < memory.len() {
            match self.network.incoming(end) {
                Incoming::Bytes(bytes) => {
                    let short = self.meets(Fault::ShortRecv);
                    let most = bytes.min(memory.len() - *done);
                    let count = if short { shorten(&mut self.random, most, 1) } else { most };
                    self.network.receive(end, memory.part(*done, count));
                    *done += count;
                    if short || !fill {
                        break;
                    }
                    // Once more: what follows the bytes, such as a close, has already happened.
                }
                Incoming::Ended => break,
                // A ring drops the error of a receive that goes on after it has moved bytes.
                Incoming::Reset if *done > 0 && self.chance(0.5) => {
                    self.network.reset_was_reported(end);
                    break;
                }
                Incoming::Reset => return self.report_reset(end, *done),
                Incoming::Nothing => return Ok(Progress::Waits(socket)),
            }
        }
        Ok(Progress::Ended(*done as i32))
    }

    fn send(
        &mut self,
        socket: ObjectId,
        pieces: &[Memory],
        zero_copy: Option<OperationId>,
        done: &mut usize,
    ) -> Result<Progress> {
        if zero_copy.is_some() && !self.config.zero_copy_sends {
            return Err(libc::EINVAL);
        }
        let end = self.end_of(socket).map_err(not_connected(libc::EPIPE))?;
        let whole: usize = pieces.iter().map(Memory::len).sum();
        let left = whole - *done;
        match self.network.outgoing(end, self.config.socket_buffer_bytes) {
            Outgoing::Space(space) => {
                let short = self.meets(Fault::ShortSend);
                let most = left.min(space);
                let count = if short { shorten(&mut self.random, most, 1) } else { most };
                let mut span = Span { start: *done, len: count };
                let parts = pieces.iter().filter_map(|piece| Some((piece, span.cut(piece.len())?)));
                for (piece, part) in parts {
                    let memory = piece.part(part.start, part.len());
                    self.network.send(end, memory, zero_copy);
                    zero_copy.into_iter().for_each(|id| self.add_piece(id));
                }
                *done += count;
                if *done == whole || short && *done > 0 {
                    return Ok(Progress::Ended(*done as i32));
                }
                Ok(Progress::Waits(socket))
            }
            // The kernel takes the bytes; the peer answers them with a reset.
            Outgoing::Gone => {
                self.reset_connection(end);
                *done = whole;
                Ok(Progress::Ended(*done as i32))
            }
            Outgoing::Reset => self.report_reset(end, *done),
            Outgoing::Broken => Err(libc::EPIPE),
        }
    }

    /// What was moved before comes first; the error then stays for the next call.
    fn report_reset(&mut self, end: EndId, done: usize) -> Result<Progress> {
        if done > 0 {
            return Ok(Progress::Ended(done as i32));
        }
        self.network.reset_was_reported(end);
        Err(libc::ECONNRESET)
    }

    pub(super) fn end_of(&mut self, socket: ObjectId) -> Result<EndId> {
        self.objects.socket(socket)?.end.ok_or(libc::ENOTCONN)
    }
}

const NS_A_SECOND: u64 = 1_000_000_000;

/// At least one step, and less than `count` where that can be.
fn shorten(random: &mut Random, count: usize, step: usize) -> usize {
    let steps = count.div_ceil(step) as u64;
    if steps < 2 {
        return count;
    }
    (1 + random.below(steps - 1) as usize) * step
}

/// Receives and sends name an unconnected socket differently (recv(2), send(2)).
fn not_connected(errno: i32) -> impl FnOnce(i32) -> i32 {
    move |error| if error == libc::ENOTCONN { errno } else { error }
}
