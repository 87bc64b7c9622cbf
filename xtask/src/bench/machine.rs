//! What the machine is, as far as the system tells.

use xshell::{Shell, cmd};

/// Lines of a list: what it is, and its value.
pub type Facts = Vec<(&'static str, String)>;

/// Processor, memory, system, compiler, commit and date; before anything runs, for the load.
pub fn describe(shell: &Shell) -> Facts {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let facts = [
        ("Processor", processor(shell).map(|name| format!("{name}, {cores} cores"))),
        ("Vector instructions", vectors()),
        ("Memory", memory(shell).map(|bytes| format!("{:.0} GiB", bytes / (1u64 << 30) as f64))),
        ("System", system(shell)),
        ("Load when it began", load(shell)),
        ("Rust", cmd!(shell, "rustc --version").quiet().read().ok()),
        ("Commit", commit(shell)),
        ("Date", cmd!(shell, "date -u +%F").quiet().ignore_stderr().read().ok()),
    ];
    facts.into_iter().map(|(name, value)| (name, value.unwrap_or_else(|| "unknown".into()))).collect()
}

fn proc(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The value of a `name: value` line.
fn value(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_string())
}

fn sysctl(shell: &Shell, name: &str) -> Option<String> {
    cmd!(shell, "sysctl -n {name}").quiet().ignore_stderr().read().ok()
}

fn processor(shell: &Shell) -> Option<String> {
    let linux = proc("/proc/cpuinfo").and_then(|text| {
        let model = ["cpu family", "model\t"].map(|name| value(&text, name));
        let model = match model {
            [Some(family), Some(model)] => format!(" (family {family}, model {model})"),
            _ => String::new(),
        };
        Some(value(&text, "model name")? + &model)
    });
    let windows = || std::env::var("PROCESSOR_IDENTIFIER").ok();
    linux.or_else(|| sysctl(shell, "machdep.cpu.brand_string")).or_else(windows)
}

/// The widest vectors that this processor has.
fn vectors() -> Option<String> {
    #[cfg(target_arch = "x86_64")]
    let found = if std::arch::is_x86_feature_detected!("avx512f") {
        "AVX-512"
    } else if std::arch::is_x86_feature_detected!("avx2") {
        "AVX2"
    } else {
        "SSE2"
    };
    #[cfg(target_arch = "aarch64")]
    let found = "NEON";
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let found = "unknown";
    Some(found.to_string())
}

fn memory(shell: &Shell) -> Option<f64> {
    let linux = proc("/proc/meminfo").and_then(|text| {
        let kib = value(&text, "MemTotal")?;
        kib.trim_end_matches("kB").trim().parse::<f64>().ok().map(|kib| 1024.0 * kib)
    });
    linux.or_else(|| sysctl(shell, "hw.memsize")?.parse().ok())
}

fn system(shell: &Shell) -> Option<String> {
    let release = proc("/etc/os-release").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(line.trim_matches('"').to_string())
    });
    // What follows a dash is whoever built the kernel.
    let kernel = cmd!(shell, "uname -sr").quiet().ignore_stderr().read().ok();
    let kernel = kernel.and_then(|name| name.split('-').next().map(str::to_string));
    match (release, kernel) {
        (Some(release), Some(kernel)) => Some(format!("{release}, {kernel}")),
        (release, kernel) => release.or(kernel).or_else(|| Some(std::env::consts::OS.into())),
    }
}

/// Programs that ran or waited in the last minute; anything near the number of cores disturbs.
fn load(shell: &Shell) -> Option<String> {
    let linux = proc("/proc/loadavg").and_then(|text| text.split_whitespace().next().map(str::to_string));
    let apple = || sysctl(shell, "vm.loadavg")?.split_whitespace().nth(1).map(str::to_string);
    linux.or_else(apple).map(|load| format!("{load} programs (mean of a minute)"))
}

fn commit(shell: &Shell) -> Option<String> {
    let commit = cmd!(shell, "git rev-parse --short HEAD").quiet().ignore_stderr().read().ok()?;
    let changed = cmd!(shell, "git status --porcelain --untracked-files=no").quiet().read().ok()?;
    Some(if changed.is_empty() { commit } else { commit + ", with changes" })
}
