//! The most memory that this process has held.

/// Peak resident memory in bytes, where the system tells.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn peak_bytes() -> Option<u64> {
    // Not `getrusage`, whose peak includes that of the program which started this one.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Peak resident memory in bytes, where the system tells.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub fn peak_bytes() -> Option<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let peak = u64::try_from(getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss()).ok()?;
    // Apple counts bytes, the other systems kilobytes.
    Some(if cfg!(target_vendor = "apple") { peak } else { peak << 10 })
}

/// Peak resident memory in bytes, where the system tells.
#[cfg(not(unix))]
pub fn peak_bytes() -> Option<u64> {
    None
}
