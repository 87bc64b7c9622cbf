//! An HTTP server on 127.0.0.1 that answers as a test wants: whole, cut off, stalled, wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// First byte of the `Range` header.
    pub range: Option<usize>,
    /// Bytes of the body that were sent in answer.
    pub sent: usize,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    status: &'static str,
    headers: Vec<String>,
    body: Vec<u8>,
    /// Bytes of the body that are really sent, and whether the line then hangs instead of being cut.
    stop: Option<(usize, bool)>,
}

impl Reply {
    pub fn whole(body: &[u8]) -> Reply {
        Reply { status: "200 OK", headers: Vec::new(), body: body.to_vec(), stop: None }
    }

    pub fn status(status: &'static str) -> Reply {
        Reply { status, ..Reply::whole(b"") }
    }

    /// What a server that knows ranges answers.
    pub fn ranged(body: &[u8], request: &Request) -> Reply {
        let total = body.len();
        match request.range {
            None => Reply::whole(body),
            Some(first) if first < total => Reply {
                status: "206 Partial Content",
                headers: vec![format!("Content-Range: bytes {first}-{}/{total}", total - 1)],
                ..Reply::whole(&body[first..])
            },
            Some(_) => Reply {
                headers: vec![format!("Content-Range: bytes */{total}")],
                ..Reply::status("416 Range Not Satisfiable")
            },
        }
    }

    /// The connection ends after `bytes` of the body.
    pub fn cut_after(self, bytes: usize) -> Reply {
        Reply { stop: Some((bytes, false)), ..self }
    }

    /// Nothing more comes after `bytes` of the body, but the connection stays open.
    pub fn stall_after(self, bytes: usize) -> Reply {
        Reply { stop: Some((bytes, true)), ..self }
    }
}

/// A running server. Its thread ends with the test process.
pub struct Server {
    pub base: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts on a free port; `answer` sees each request and how many came before it.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(mut request) = read_request(&stream) else {
                    continue;
                };
                let mut log = shared.lock().unwrap();
                let reply = answer(&request, log.len());
                request.sent = reply.stop.map_or(reply.body.len(), |(bytes, _)| bytes);
                log.push(request);
                drop(log);
                send(&mut stream, &reply);
            }
        });
        Server { base, log }
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut range = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = value.strip_suffix('-')?.parse().ok();
        }
    }
    Some(Request { path, range, sent: 0 })
}

fn send(stream: &mut TcpStream, reply: &Reply) {
    let mut head = format!("HTTP/1.1 {}\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for header in &reply.headers {
        head += &format!("{header}\r\n");
    }
    head += "Connection: close\r\n\r\n";
    let (bytes, hang) = reply.stop.unwrap_or((reply.body.len(), false));
    // A client that hangs up early is part of some tests.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&reply.body[..bytes]));
    if hang {
        // Until the client hangs up, however long that takes.
        let _ = stream.read(&mut [0]);
    }
}
