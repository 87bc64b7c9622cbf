//! Seeded numbers that are the same on every platform.

/// Steele, Lea and Flood's SplitMix64: one word of state, integer arithmetic only.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A sequence of its own for every seed.
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    /// A sequence for one use among many with one seed: `path` tells them apart.
    pub fn with_path(seed: u64, path: &[u64]) -> SplitMix64 {
        path.iter().fold(SplitMix64(seed), |mut random, &part| SplitMix64(random.word() ^ part))
    }

    /// 64 random bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on [-1, 1), on a grid that f32 holds exactly.
    pub fn symmetric(&mut self) -> f32 {
        (self.word() >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }

    /// Uniform below `end`, which must not be zero; off by less than `end` / 2^64.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.word()) * end as u128) >> 64) as usize
    }

    /// Normal with mean 0 and deviation 1, drawn again beyond two deviations: the sum of twelve uniform numbers, which needs
    /// no function that platforms round differently.
    pub fn truncated_normal(&mut self) -> f32 {
        loop {
            let sum: f32 = (0..12).map(|_| self.symmetric()).sum();
            // Each has variance 1/3, twelve have 4.
            let normal = 0.5 * sum;
            if normal.abs() <= 2.0 {
                return normal;
            }
        }
    }

    /// Brings the items into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_is_the_published_sequence() {
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!([random.word(), random.word()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn numbers_lie_where_they_should() {
        let mut random = SplitMix64::new(1);
        let normal: Vec<f32> = (0..20_000).map(|_| random.truncated_normal()).collect();
        let mean = normal.iter().sum::<f32>() / normal.len() as f32;
        let variance = normal.iter().map(|x| x * x).sum::<f32>() / normal.len() as f32;
        // The deviation of a normal distribution cut off at two is 0.88.
        assert!(mean.abs() < 0.02 && (variance.sqrt() - 0.88).abs() < 0.02, "{mean} {variance}");
        assert!(normal.iter().all(|x| x.abs() <= 2.0));
        let mut counts = [0; 5];
        (0..5000).for_each(|_| counts[random.below(5)] += 1);
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        let mut items: Vec<usize> = (0..100).collect();
        random.shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        let first = |path: &[u64]| SplitMix64::with_path(7, path).word();
        assert!(first(&[1, 2]) != first(&[2, 1]) && first(&[1, 2]) == first(&[1, 2]));
    }
}
