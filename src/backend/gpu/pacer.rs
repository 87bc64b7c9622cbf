//! How much work one submission may hold: drivers and browsers kill a device that is busy for too long.

use std::time::Duration;

/// Learns the speed of a device from finished submissions and sizes the next one.
#[derive(Debug, Clone)]
pub(super) struct Pacer {
    /// Longest time that one submission should take.
    limit: Duration,
    /// Work units (multiply-accumulates) per second.
    rate: f64,
}

impl Pacer {
    /// 100 ms on hardware, 2 s on a software adapter, a quarter of that on a device that was lost, and a careful first guess
    /// of the speed.
    pub(super) fn new(hardware: bool, cautious: bool) -> Pacer {
        let share = if cautious { 0.25 } else { 1.0 };
        let (limit, rate) = if hardware { (0.1, 100e9) } else { (2.0, 0.5e9) };
        Pacer { limit: Duration::from_secs_f64(share * limit), rate: share * rate }
    }

    /// Work that fits into one submission; a fifth is left as a margin.
    pub(super) fn budget(&self) -> u64 {
        (0.8 * self.rate * self.limit.as_secs_f64()) as u64
    }

    /// Takes note that `work` was done in `time`.
    pub(super) fn finished(&mut self, work: u64, time: Duration) {
        let measured = work as f64 / time.as_secs_f64().max(1e-6);
        // Follow a slow-down at once and a speed-up by at most four times per submission: early kernels say little
        // about later ones.
        self.rate = measured.min(4.0 * self.rate).max(1e6);
    }
}

/// Largest work of one dispatch, so that submissions can be cut finely enough.
pub(super) fn dispatch_quantum(hardware: bool) -> u64 {
    if hardware { 4_000_000_000 } else { 400_000_000 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_follows_the_measured_speed() {
        let mut pacer = Pacer::new(true, false);
        pacer.finished(1_000_000_000, Duration::from_secs(1));
        assert_eq!(pacer.budget(), 80_000_000);
        // A thousand times faster is believed step by step.
        pacer.finished(1_000_000_000_000, Duration::from_secs(1));
        assert_eq!(pacer.budget(), 320_000_000);
    }
}
