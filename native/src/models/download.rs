//! Downloads one file over HTTPS: resumes what was cut, retries what failed, and keeps only what has the right hash.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use i3d::models::RAW_GITHUB;
use i3d::{Error, Result};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::hash;

/// Environment variable that replaces [`RAW_GITHUB`], for mirrors. Hashes are checked all the same.
pub const BASE_VARIABLE: &str = "I3D_MODELS_URL";

/// No file of the registry is close to this; a server that sends more is stopped.
const MAX_BYTES: u64 = 1 << 30;

/// Opens the part file for writing, at its end or empty. A parameter so that tests can fill the disk.
pub type OpenPart = fn(&Path, append: bool) -> io::Result<Box<dyn Write>>;

/// What the bytes of a file must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Git blob id.
    pub blob: &'a str,
    /// Length in bytes, where it is known.
    pub size: Option<u64>,
}

/// Patience and surroundings of a [`Downloader`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Address that stands for `https://raw.githubusercontent.com`.
    pub base: String,
    /// Longest wait for a connection, and for the answer's head.
    pub connect_timeout: Duration,
    /// Longest silence in the middle of a file. There is no limit on the whole: slow lines get there too.
    pub read_timeout: Duration,
    /// Attempts in a row that bring no new byte before giving up.
    pub attempts: u32,
    /// Pause before the first repetition; it doubles with every further one.
    pub backoff: Duration,
    /// Whether `HTTPS_PROXY` and the like are followed.
    pub environment_proxy: bool,
    /// How the part file is opened.
    pub open_part: OpenPart,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            base: RAW_GITHUB.to_owned(),
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_secs(30),
            attempts: 4,
            backoff: Duration::from_millis(500),
            environment_proxy: true,
            open_part,
        }
    }
}

impl Options {
    /// The defaults, with the base address from [`BASE_VARIABLE`] where it is set.
    pub fn from_environment() -> Self {
        let base = std::env::var(BASE_VARIABLE).ok().filter(|base| !base.is_empty());
        Options { base: base.unwrap_or_else(|| RAW_GITHUB.to_owned()), ..Options::default() }
    }
}

/// An HTTP client with the patience of its [`Options`].
pub struct Downloader {
    agent: Agent,
    options: Options,
}

/// Why an attempt ended without the whole file.
enum Stop {
    /// Trying again may help: the line was cut, the server was busy.
    Retry(String),
    /// What lies in the part file does not belong to this file: begin at byte 0.
    StartOver(String),
    /// Trying again cannot help.
    Fatal(Error),
}

impl Downloader {
    /// A client; nothing is sent yet.
    pub fn new(options: Options) -> Self {
        let mut config = Agent::config_builder()
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.connect_timeout))
            .timeout_per_read(Some(options.read_timeout))
            .http_status_as_error(false)
            .user_agent(concat!("i3d/", env!("CARGO_PKG_VERSION")));
        if !options.environment_proxy {
            config = config.proxy(None);
        }
        Downloader { agent: super::tls::configure(config).build().new_agent(), options }
    }

    /// Address that stands for `https://raw.githubusercontent.com`.
    pub fn base(&self) -> &str {
        &self.options.base
    }

    /// Downloads `url` to `target` by way of `<target>.part`, which survives an interruption and is continued by
    /// the next call. `progress` hears the bytes that are there so far and the total where it is known.
    pub fn fetch(
        &self,
        url: &str,
        expected: Expected,
        target: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<()> {
        let part = part_path(target);
        let (mut failures, mut furthest) = (0, length(&part));
        let mut may_start_over = true;
        loop {
            let stop = match self.attempt(url, expected, &part, progress) {
                Ok(()) => match verify(url, expected, &part, furthest > 0 && may_start_over) {
                    Ok(()) => return fs::rename(&part, target).map_err(|e| Error::io(target.display(), e)),
                    Err(stop) => stop,
                },
                Err(stop) => stop,
            };
            let problem = match stop {
                Stop::Fatal(error) => return Err(error),
                Stop::StartOver(problem) if may_start_over => {
                    log::info!("{url}: {problem}; starting over");
                    remove(&part)?;
                    (may_start_over, furthest) = (false, 0);
                    continue;
                }
                Stop::StartOver(problem) | Stop::Retry(problem) => problem,
            };
            // New bytes are progress, however often the line is cut; only standing still wears patience out.
            let reached = length(&part);
            failures = if reached > furthest { 1 } else { failures + 1 };
            furthest = furthest.max(reached);
            if failures >= self.options.attempts {
                let advice = format!(
                    "{problem}, {failures} times in a row; check the network and run the same command again, it \
                     continues at byte {reached} (a mirror can be given with {BASE_VARIABLE})"
                );
                return Err(Error::download(url, advice));
            }
            log::info!("{url}: {problem}; trying again");
            std::thread::sleep(self.options.backoff * (1 << (failures - 1).min(6)));
        }
    }

    /// One request that continues the part file. `Ok` means that the file seems whole.
    fn attempt(
        &self,
        url: &str,
        expected: Expected,
        part: &Path,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), Stop> {
        let mut have = length(part);
        if let Some(size) = expected.size {
            if have == size {
                progress(have, Some(size));
                return Ok(());
            }
            if have > size {
                return Err(Stop::StartOver(format!("the part file has {have} bytes instead of {size}")));
            }
        }
        // Byte ranges count bytes of the file itself, so no compression may come between.
        let mut request = self.agent.get(url).header(header::ACCEPT_ENCODING, "identity");
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let mut response = request.call().map_err(request_failed(url))?;
        match response.status() {
            StatusCode::OK => have = 0,
            StatusCode::PARTIAL_CONTENT if have > 0 => {
                if range(&response).is_none_or(|(first, _)| first != have) {
                    return Err(Stop::StartOver("the server sent another range than was asked for".into()));
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                // The part file may be whole already, where the size is not known beforehand; the hash decides.
                return Ok(());
            }
            status => return Err(refused(url, status)),
        }
        let total = match response.status() {
            StatusCode::PARTIAL_CONTENT => range(&response).and_then(|(_, total)| total),
            _ => response.body().content_length(),
        };
        if let (Some(size), Some(total)) = (expected.size, total)
            && size != total
        {
            // The first bytes tell why: a web page, a pointer file, or another file altogether.
            let mut head = Vec::new();
            let _ = response.body_mut().as_reader().take(512).read_to_end(&mut head);
            let _ = fs::remove_file(part);
            return Err(Stop::Fatal(wrong_file(url, &head, format!("expected {size} bytes, found {total}"))));
        }
        self.receive(url, response.body_mut(), part, have, expected.size.or(total), progress)
    }

    /// Appends the body to the part file.
    fn receive(
        &self,
        url: &str,
        body: &mut Body,
        part: &Path,
        mut have: u64,
        total: Option<u64>,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), Stop> {
        let write_failed = |error| Stop::Fatal(cannot_write(part, total, error));
        let mut file = (self.options.open_part)(part, have > 0).map_err(write_failed)?;
        let mut reader = body.as_reader();
        let mut buffer = vec![0; 1 << 16];
        progress(have, total);
        loop {
            let length = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    file.flush().map_err(write_failed)?;
                    return Err(Stop::Retry(format!("the connection was cut after {have} bytes ({error})")));
                }
            };
            file.write_all(&buffer[..length]).map_err(write_failed)?;
            have += length as u64;
            progress(have, total);
            if have > total.unwrap_or(MAX_BYTES) {
                drop(file);
                let _ = fs::remove_file(part);
                let problem = format!("expected {} bytes, found more", total.unwrap_or(MAX_BYTES));
                return Err(Stop::Fatal(Error::download(url, problem)));
            }
        }
        file.flush().map_err(write_failed)?;
        match total {
            Some(total) if have < total => {
                Err(Stop::Retry(format!("the connection was cut after {have} of {total} bytes")))
            }
            _ => Ok(()),
        }
    }
}

/// Compares the part file with what was expected; deletes it where it is something else.
fn verify(url: &str, expected: Expected, part: &Path, was_resumed: bool) -> Result<(), Stop> {
    let read_failed = |error| Stop::Fatal(Error::io(part.display(), error));
    let found = hash::git_blob(part).map_err(read_failed)?;
    if found == expected.blob {
        return Ok(());
    }
    if was_resumed {
        // An older part file may be to blame (a crash while writing); a fresh download tells.
        return Err(Stop::StartOver(format!("git blob id {found} instead of {}", expected.blob)));
    }
    let size = length(part);
    let mut head = Vec::new();
    File::open(part).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(read_failed)?;
    remove(part).map_err(Stop::Fatal)?;
    let problem = format!("expected git blob id {}, found {found} ({size} bytes)", expected.blob);
    Err(Stop::Fatal(wrong_file(url, &head, problem)))
}

/// The error for an answer that is not the file, with the reason that its first bytes give.
fn wrong_file(url: &str, head: &[u8], problem: String) -> Error {
    let text = String::from_utf8_lossy(head).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let reason = if text.starts_with("version https://git-lfs") {
        format!(
            "the server sent a Git LFS pointer in place of the file; give a mirror that serves the file itself with \
             {BASE_VARIABLE}"
        )
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<?xml") {
        "the server sent a web page in place of the file; a network with a login page or a proxy may stand between"
            .to_owned()
    } else {
        "it is another file, or was damaged on the way, and was deleted; run the same command again"
            .to_owned()
    };
    Error::download(url, format!("{problem}: {reason}"))
}

/// The error for a part or model file that cannot be written; `needed` is its full length.
pub fn cannot_write(path: &Path, needed: Option<u64>, error: io::Error) -> Error {
    if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Error::io(path.display(), error);
    }
    let needed = needed.map_or_else(|| "more space".to_owned(), |bytes| format!("{bytes} bytes"));
    let advice = format!(
        "the disk is full and this file needs {needed}; make room, or choose another folder with {}, and run the \
         same command again",
        crate::cache::CACHE_VARIABLE
    );
    Error::Io { place: path.display().to_string(), source: io::Error::new(error.kind(), advice) }
}

/// Sorts a request that brought no answer: a line that is down may come back, a wrong address may not.
fn request_failed(url: &str) -> impl Fn(ureq::Error) -> Stop {
    move |error| match error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::BodyStalled => Stop::Retry(format!("no answer ({error})")),
        error => Stop::Fatal(Error::download(url, error)),
    }
}

/// Sorts an answer that is no file.
fn refused(url: &str, status: StatusCode) -> Stop {
    let problem = format!("the server answered {status}");
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Stop::Fatal(Error::download(
            url,
            format!("{problem}: the file is not there any more; give a mirror with {BASE_VARIABLE}"),
        )),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Stop::Retry(problem),
        status if status.is_server_error() => Stop::Retry(problem),
        _ => Stop::Fatal(Error::download(url, problem)),
    }
}

/// First byte and total of `Content-Range: bytes 5-9/10`; the total is `*` where the server does not know it.
fn range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (span, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = span.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

fn part_path(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Length of a file; 0 where there is none.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(path.display(), error)),
        _ => Ok(()),
    }
}

fn open_part(path: &Path, append: bool) -> io::Result<Box<dyn Write>> {
    let file = File::options().create(true).write(true).append(append).truncate(!append).open(path)?;
    Ok(Box::new(file))
}
