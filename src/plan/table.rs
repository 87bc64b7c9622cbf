//! The plan as a table to read.

use std::fmt;

use super::{Kernel, Plan, Step, Window};

const MIB: f64 = (1 << 20) as f64;

impl fmt::Display for Plan {
    /// One line per step and the totals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<38} {:<18} {:>19} {:>19} {:>8} {:>9}  padding T,H,W (before+after)",
            "step", "kernel", "input", "output", "MiB", "MMAC"
        )?;
        for step in &self.steps {
            let (input, written) = (self.buffers[step.input].shape, &self.buffers[step.output]);
            let output = written.shape.with_channels(step.channels);
            writeln!(
                f,
                "{:<38} {:<18} {:>19} {:>19} {:>8.2} {:>9.1}  {}",
                step.name,
                kernel(step),
                input.to_string(),
                output.to_string(),
                written.bytes(step.channels) as f64 / MIB,
                step.macs as f64 / 1e6,
                padding(step)
            )?;
        }
        writeln!(f)?;
        writeln!(f, "clip         {}", self.buffers[super::INPUT].shape)?;
        writeln!(f, "parameters   {}", thousands(self.network.parameters() as u64))?;
        writeln!(f, "work         {:.2} GMAC", self.macs() as f64 / 1e9)?;
        writeln!(f, "weights      {:.1} MiB", self.weight_bytes() as f64 / MIB)?;
        let arenas: Vec<String> = self.arenas().iter().map(|&b| format!("{:.1}", b as f64 / MIB)).collect();
        let total = self.activation_bytes() as f64 / MIB;
        write!(f, "activations  {total:.1} MiB in {} arenas ({} MiB)", arenas.len(), arenas.join(" + "))
    }
}

fn kernel(step: &Step) -> String {
    let triple = |[t, h, w]: [usize; 3]| format!("{t}x{h}x{w}");
    let window = |name: &str, window: Window| {
        if window.stride == [1; 3] {
            format!("{name} {}", triple(window.size))
        } else {
            let [t, h, w] = window.stride;
            format!("{name} {} /{t},{h},{w}", triple(window.size))
        }
    };
    match step.kernel {
        Kernel::Conv { window: w, .. } => window("conv", w),
        Kernel::MaxPool(w) => window("max", w),
        Kernel::AvgPool(w) => window("avg", w),
        Kernel::Lstm { .. } => "lstm".into(),
        Kernel::TimeMean(0) => "mean over time".into(),
        Kernel::TimeMean(_) => "last time step".into(),
    }
}

fn padding(step: &Step) -> String {
    match step.kernel {
        Kernel::Conv { window, .. } | Kernel::MaxPool(window) if window.taps() > 1 => {
            let axis = |i: usize| format!("{}+{}", window.pad_before[i], window.pad_after[i]);
            format!("{},{},{}", axis(0), axis(1), axis(2))
        }
        _ => "-".into(),
    }
}

/// `12689984` as `12,689,984`.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
