//! Programs that decode for us, kept within bounds: each runs in a process group of its own, which ends as a whole, and nothing that it
//! prints is kept without limit.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The process groups that run now, for [`end_decoders`].
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every decoder that still runs; for the moment in which the program itself is told to end.
pub fn end_decoders() {
    for id in running().drain(..) {
        end_group(id);
    }
}

/// Ends the process group of the process `id`: programs such as shell scripts have children that would go on.
fn end_group(id: u32) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        // An error means that nothing is left to end.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = id;
}

/// A program that runs with its output piped to us. Dropped, it is ended with all its children.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts the program without input.
    pub fn start(command: &mut Command) -> io::Result<Process> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.spawn()?;
        running().push(child.id());
        Ok(Process { child })
    }

    /// What it writes to standard output; once.
    pub fn stdout(&mut self) -> io::Result<ChildStdout> {
        self.child.stdout.take().ok_or_else(|| io::Error::other("its output cannot be read"))
    }

    /// What it writes to standard error; once.
    pub fn stderr(&mut self) -> io::Result<ChildStderr> {
        self.child.stderr.take().ok_or_else(|| io::Error::other("its messages cannot be read"))
    }

    /// Its exit status; one that does not end within `patience` is ended.
    pub fn wait(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        while start.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(50));
        }
        self.end();
        self.child.wait()
    }

    /// Ends it with all its children, at once.
    pub fn end(&mut self) {
        end_group(self.child.id());
        // An error means that it has ended already.
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = self.child.id();
        running().retain(|&other| other != id);
        self.end();
        let _ = self.child.wait();
    }
}

/// A thread that hands every line of `pipe` to `hear` until its end. A full pipe would stop the program, so all of it is read; of a
/// line only the first kilobyte is kept.
pub fn lines(
    pipe: impl Read + Send + 'static,
    mut hear: impl FnMut(&str) + Send + 'static,
) -> JoinHandle<()> {
    const LONGEST: usize = 1024;
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::with_capacity(LONGEST);
        loop {
            let (taken, ended) = match pipe.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => {
                    let end = bytes.iter().position(|&byte| byte == b'\n');
                    let part = &bytes[..end.unwrap_or(bytes.len())];
                    line.extend_from_slice(&part[..part.len().min(LONGEST - line.len())]);
                    (part.len() + usize::from(end.is_some()), end.is_some())
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            pipe.consume(taken);
            if ended {
                hear(&String::from_utf8_lossy(&line));
                line.clear();
            }
        }
        if !line.is_empty() {
            hear(&String::from_utf8_lossy(&line));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn lines_are_cut_and_all_of_them_are_read() {
        let text = format!("one\n{}\n\nlast", "x".repeat(1 << 20));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&heard);
        let thread = lines(io::Cursor::new(text), move |line| {
            sink.lock().expect("no thread panics").push(line.to_owned())
        });
        thread.join().expect("it ends");
        let heard = heard.lock().expect("no thread panics");
        assert_eq!(heard.iter().map(String::len).collect::<Vec<_>>(), [3, 1024, 0, 4]);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_ends_with_its_children_although_it_ignores_signals() {
        let mut process =
            Process::start(Command::new("sh").args(["-c", "trap '' TERM INT; sleep 600 & echo $!; wait"]))
                .expect("sh is there");
        let mut child = String::new();
        BufReader::new(process.stdout().expect("it is piped")).read_line(&mut child).expect("it prints");
        let status = process.wait(Duration::from_millis(50)).expect("it ends");
        assert!(!status.success());
        // A zombie of another parent may stay for a moment; it runs no more.
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
        let running = !state.is_empty() && !state.contains(") Z");
        assert!(!cfg!(target_os = "linux") || !running, "{state}");
    }
}
