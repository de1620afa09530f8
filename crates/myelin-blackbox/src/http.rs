//! One kept-alive HTTP/1.1 connection that never repeats a request by itself.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// Nothing takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The seconds of `Retry-After`.
    pub retry_after: Option<u64>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body of an answer that must be a success.
    ///
    /// # Panics
    ///
    /// If it is not, with the whole answer.
    #[track_caller]
    pub fn expect_ok(&self, what: &str) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert!(self.status == 200, "{what}: {} {text}", self.status);
        self.json()
    }
}

/// A connection that is made by the first request and made anew after an error.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    line: String,
}

impl Connection {
    /// Connects later, to this address.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            line: String::new(),
        }
    }

    /// Sends one request and reads its answer. After an error nobody knows whether the server has
    /// acted on the request.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        // One write, hence one packet.
        let mut request = Vec::with_capacity(256 + body.len());
        write!(
            request,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n",
            body.len()
        )?;
        if let Some(token) = token {
            write!(request, "Authorization: Bearer {token}\r\n")?;
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        stream.get_mut().write_all(&request)?;
        let (answer, is_last) = self.read(&mut stream)?;
        if !is_last {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    /// The answer, and whether the server closes the connection after it.
    fn read(&mut self, stream: &mut BufReader<TcpStream>) -> io::Result<(Answer, bool)> {
        let status_line = self.read_line(stream)?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| invalid("no status"))?;
        let (mut length, mut chunked, mut is_last, mut retry_after) = (0, false, false, None);
        loop {
            let line = self.read_line(stream)?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().map_err(|_| invalid(value))?,
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "connection" => is_last = value.eq_ignore_ascii_case("close"),
                "retry-after" => retry_after = value.parse().ok(),
                _ => {}
            }
        }
        let body = if chunked {
            self.read_chunks(stream)?
        } else {
            let mut body = vec![0; length];
            stream.read_exact(&mut body)?;
            body
        };
        let answer = Answer {
            status,
            retry_after,
            body,
        };
        Ok((answer, is_last))
    }

    fn read_line(&mut self, stream: &mut BufReader<TcpStream>) -> io::Result<&str> {
        self.line.clear();
        if stream.read_line(&mut self.line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.line.trim_end())
    }

    fn read_chunks(&mut self, stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line(stream)?;
            let length = u64::from_str_radix(line, 16).map_err(|_| invalid(line))?;
            let read = stream.by_ref().take(length).read_to_end(&mut body)?;
            if read as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.read_line(stream)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not HTTP as expected: {what:?}"),
    )
}
