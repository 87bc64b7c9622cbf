//! Whether logits are as published, and if not, which known mistake they are the fingerprint of.

use super::published::Expected;

/// Largest difference of a logit or a norm. Builds of TensorFlow differ by 1e-5 in logits and 5e-5 in norms; some numbers were
/// published with four decimals.
pub const TOLERANCE: f64 = 1e-3;

/// How close numbers must be to those of a mistake; fingerprints have three decimals or more.
const FINGERPRINT: f64 = 2e-3;

/// What became of a comparison.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// As published.
    Good {
        /// Largest difference.
        worst: f64,
    },
    /// Not as published.
    Wrong {
        /// Largest difference; infinite where a class is missing.
        worst: f64,
        /// Found and published.
        problem: String,
        /// What such numbers come from, as far as anybody knows.
        cause: Option<String>,
    },
}

/// Compares with what was published; `all` is what else was, for numbers that belong to something else.
///
/// # Shapes
/// `logits` and `labels` `[classes]`
pub fn judge(expected: &Expected, logits: &[f32], labels: &[String], all: &[Expected]) -> Verdict {
    let norm = logits.iter().map(|&l| f64::from(l).powi(2)).sum::<f64>().sqrt();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    let sorted: Vec<f64> = order.iter().map(|&i| f64::from(logits[i])).collect();
    let largest = sorted.first().copied().unwrap_or(f64::NAN);
    let best = order.first().and_then(|&i| labels.get(i)).map_or("nothing", String::as_str);

    let mut problem = format!("norm {norm:.4}, published {:.4}", expected.norm);
    let mut worst = (norm - expected.norm).abs();
    let mut furthest = 0.0;
    for (want, label) in &expected.top {
        let index = labels.iter().position(|l| l == label).filter(|&i| i < logits.len());
        let got = index.map_or(f64::NAN, |i| f64::from(logits[i]));
        let off = (got - want).abs();
        // A class that is not there is infinitely far off.
        let off = if off.is_nan() { f64::INFINITY } else { off };
        if off > furthest {
            furthest = off;
            let tail = format!("; {label} {got:.4}, published {want:.4}");
            problem = format!("norm {norm:.4}, published {:.4}{tail}", expected.norm);
        }
        worst = worst.max(off);
    }
    let same_best = expected.top.first().is_none_or(|(_, label)| label == best);
    // A norm that is no number is no small difference.
    if worst <= TOLERANCE && norm.is_finite() && same_best {
        return Verdict::Good { worst };
    }
    let names_differ = close(norm, expected.norm, TOLERANCE)
        && expected.top.iter().zip(&sorted).all(|((want, _), got)| close(*got, *want, TOLERANCE));
    let cause = match names_differ {
        true => {
            Some("the logits are right and their names are not: the labels are those of another list".into())
        }
        false => cause(expected, norm, largest, all),
    };
    Verdict::Wrong { worst, problem, cause }
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}

fn cause(expected: &Expected, norm: f64, largest: f64, all: &[Expected]) -> Option<String> {
    let is = |their_norm: Option<f64>, top: f64| {
        their_norm.is_none_or(|n| close(norm, n, FINGERPRINT)) && close(largest, top, FINGERPRINT)
    };
    if let Some(found) = expected.mistakes.iter().find(|f| is(f.norm, f.top)) {
        return Some(found.mistake.says().into());
    }
    let numbers_of = |other: &&Expected| other.top.first().is_some_and(|(top, _)| is(Some(other.norm), *top));
    let own = |other: &&Expected| other.model == expected.model && other.streams == expected.streams;
    let other = all.iter().filter(|other| !own(other)).find(numbers_of)?;
    Some(match other.model == expected.model {
        true => format!("these are the numbers of {}: the streams were mixed up", other.streams()),
        false => format!("these are the numbers of {}: its weights ran here instead", other.model),
    })
}
