//! Bytes over one TLS connection, blocking, with a limit on every wait.

use rustls::Connection;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Longest silence in a handshake, a header or a body.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A body must flow at this rate at least, over its whole length and beyond [`PATIENCE`].
pub const SLOWEST_BYTES_PER_S: u64 = 16 << 10;

/// What one system call reads at most. `rustls` itself asks for 4 KiB at a time.
const READ_BYTES: usize = 256 << 10;

/// What is encrypted before it is sent: some records of 16 KiB go out in one system call.
const WRITE_BYTES: usize = 256 << 10;

/// One TLS connection over one socket.
pub(super) struct Channel {
    tls: Connection,
    socket: BufReader<TcpStream>,
    until: Instant,
}

impl Channel {
    /// Takes over a connected socket and completes the handshake.
    pub(super) fn open(tls: impl Into<Connection>, socket: TcpStream) -> io::Result<Channel> {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut tls = tls.into();
        tls.set_buffer_limit(Some(WRITE_BYTES));
        let socket = BufReader::with_capacity(READ_BYTES, socket);
        let mut channel = Channel { tls, socket, until: Instant::now() };
        channel.within(PATIENCE)?;
        while channel.tls.is_handshaking() {
            channel.send()?;
            if channel.tls.is_handshaking() {
                channel.receive()?;
            }
        }
        channel.send()?;
        Ok(channel)
    }

    /// From now on, everything up to the next call of this must be done within `limit`.
    pub(super) fn within(&mut self, limit: Duration) -> io::Result<()> {
        self.until = Instant::now() + limit;
        self.socket.get_ref().set_read_timeout(Some(limit.min(PATIENCE)))
    }

    /// Waits up to `limit` for the first byte of something; what follows has [`PATIENCE`].
    pub(super) fn wait(&mut self, limit: Duration) -> io::Result<()> {
        self.until = Instant::now() + limit;
        self.socket.get_ref().set_read_timeout(Some(limit))?;
        while self.tls.process_new_packets().map_err(invalid)?.plaintext_bytes_to_read() == 0 {
            self.receive()?;
        }
        self.within(PATIENCE)
    }

    /// The certificate that the other end showed.
    pub(super) fn certificate(&self) -> Option<&rustls::pki_types::CertificateDer<'static>> {
        self.tls.peer_certificates()?.first()
    }

    /// Ends the connection for both ends and directions.
    pub(super) fn close(&self) {
        // An end that is closed already is closed.
        let _ = self.socket.get_ref().shutdown(Shutdown::Both);
    }

    /// Sends everything that is encrypted.
    fn send(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.check_time()?;
            self.tls.write_tls(self.socket.get_mut())?;
        }
        Ok(())
    }

    /// Waits for some bytes and decrypts what is complete.
    fn receive(&mut self) -> io::Result<()> {
        self.check_time()?;
        if self.tls.read_tls(&mut self.socket)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Err(error) = self.tls.process_new_packets() {
            // The other end is told why.
            let _ = self.tls.write_tls(self.socket.get_mut());
            return Err(invalid(error));
        }
        Ok(())
    }

    fn check_time(&self) -> io::Result<()> {
        match Instant::now() < self.until {
            true => Ok(()),
            false => Err(ErrorKind::TimedOut.into()),
        }
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

impl Read for Channel {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.receive()?,
                other => return other,
            }
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.tls.writer().write(bytes)?;
        self.send()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

/// How long a body of so many bytes may take.
pub(super) fn patience_for(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / SLOWEST_BYTES_PER_S)
}
