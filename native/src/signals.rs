//! What ends the program from outside: Ctrl-C, a terminal that closes, a polite kill.

/// Has `clean_up` called when the program is told to end, and ends it. Must be called before any thread is started. A
/// signal that the program was started to ignore, as `nohup` does with SIGHUP, stays ignored.
#[cfg(unix)]
pub fn at_end(clean_up: fn()) {
    use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
    let mut awaited = SigSet::empty();
    for end in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: neither handler is a function of this program, so nothing runs at a time when it may not.
        let before = unsafe { signal(end, SigHandler::SigDfl) };
        match before {
            // SAFETY: as above.
            Ok(SigHandler::SigIgn) => drop(unsafe { signal(end, SigHandler::SigIgn) }),
            _ => awaited.add(end),
        }
    }
    // Threads that are started from now on leave these signals to the one that waits for them. Without it the program ends
    // just the same, but may leave a temporary file behind.
    if awaited.thread_block().is_err() {
        return;
    }
    std::thread::spawn(move || {
        if let Ok(end) = awaited.wait() {
            clean_up();
            // As shells count.
            std::process::exit(128 + end as i32);
        }
    });
}

/// Has `clean_up` called when the program is told to end, and ends it.
#[cfg(not(unix))]
pub fn at_end(clean_up: fn()) {
    /// 128 and the number of the signal, as shells count.
    const INTERRUPTED: i32 = 130;
    // Without a handler the program ends just the same, but may leave a temporary file behind.
    let _ = ctrlc::set_handler(move || {
        clean_up();
        std::process::exit(INTERRUPTED);
    });
}
