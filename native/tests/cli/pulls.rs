//! `models pull` that is killed, and two at once: against a server that sends half a file and then nothing.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::{Sandbox, files};

/// Bytes of the answer that arrive.
const SENT: usize = 3000;

/// Where the `Range` of each request began; 0 without one.
type Requests = Arc<Mutex<Vec<u64>>>;

/// A server, and what it was asked.
fn server() -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let requests = Requests::default();
    let log = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let log = log.clone();
            std::thread::spawn(move || answer(stream, &log));
        }
    });
    (address, requests)
}

fn answer(mut stream: TcpStream, requests: &Requests) {
    let lines = BufReader::new(stream.try_clone().expect("a handle")).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range =
        head.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_string));
    let first = range.and_then(|range| range.trim_end_matches('-').parse::<u64>().ok()).unwrap_or(0);
    requests.lock().expect("nobody failed").push(first);
    // The true length of the index of kinetics-400's RGB stream does not matter as long as more is awaited than comes.
    let status = if first > 0 { "206 Partial Content" } else { "200 OK" };
    let range = if first > 0 { format!("Content-Range: bytes {first}-99999/*\r\n") } else { String::new() };
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{range}Transfer-Encoding: chunked\r\n\r\n{SENT:x}\r\n");
    let _ = stream.write_all(&[7; SENT]);
    let _ = stream.flush();
    // Silence, until the other side goes away.
    let _ = std::io::Read::read(&mut stream, &mut [0; 1]);
    std::thread::sleep(Duration::from_secs(60));
}

fn pull(sandbox: &Sandbox, address: &str) -> Command {
    let mut command = sandbox.command("models pull kinetics-400");
    for proxy in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    command.env("I3D_MODELS_URL", address).stderr(Stdio::null());
    command
}

/// Bytes in the part file.
fn arrived(sandbox: &Sandbox) -> u64 {
    let folder = sandbox.path("cache");
    let found = if folder.exists() { files(&folder) } else { Vec::new() };
    let parts = found.iter().filter(|path| path.extension().is_some_and(|e| e == "part"));
    parts.filter_map(|path| path.metadata().ok()).map(|part| part.len()).sum()
}

fn wait_for(sandbox: &Sandbox, bytes: u64) {
    let start = Instant::now();
    while arrived(sandbox) < bytes {
        assert!(start.elapsed() < Duration::from_secs(60), "{} of {bytes} bytes arrived", arrived(sandbox));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_killed_pull_goes_on_where_it_stopped_and_two_do_not_mix() {
    let sandbox = Sandbox::new();
    let (address, requests) = server();
    let mut child = pull(&sandbox, &address).spawn().expect("starts");
    wait_for(&sandbox, SENT as u64);
    // Another one in the meantime, which must not write into the same file.
    let second = pull(&sandbox, &address).stderr(Stdio::piped()).output().expect("starts");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("kinetics-400 is being pulled by another i3d"), "{said}");
    assert_eq!(second.status.code(), Some(2));
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    assert_eq!(arrived(&sandbox), SENT as u64);
    let list = sandbox.command("models list").output().expect("starts");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let row = list.lines().find(|line| line.starts_with("kinetics-400 ")).expect("a line").to_string();
    assert!(row.contains(" - "), "nothing that looks installed: {row}");

    let mut child = pull(&sandbox, &address).spawn().expect("starts");
    wait_for(&sandbox, 2 * SENT as u64);
    assert_eq!(*requests.lock().expect("nobody failed"), [0, SENT as u64], "it goes on behind what is there");
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
}
