//! Accuracies and confusion matrices.

use serde::Serialize;

/// A ranking counts as right in the top five only where there is something to leave out.
const FIVE: usize = 5;

/// Which logits are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// Those of the RGB network.
    Rgb,
    /// Those of the flow network.
    Flow,
    /// The sum of both.
    Fused,
}

impl Column {
    /// `rgb`, `flow` or `fused`.
    pub const fn name(self) -> &'static str {
        match self {
            Column::Rgb => "rgb",
            Column::Flow => "flow",
            Column::Fused => "fused",
        }
    }
}

/// The place of a class in the ranking, 0 for the best; of equal logits the first class ranks first.
fn rank(logits: &[f32], class: usize) -> usize {
    let own = logits[class];
    let before = |(other, &logit): (usize, &f32)| logit > own || (logit == own && other < class);
    logits.iter().enumerate().filter(|&pair| before(pair)).count()
}

/// The class that ranks first.
pub fn best(logits: &[f32]) -> usize {
    (0..logits.len()).find(|&class| rank(logits, class) == 0).unwrap_or(0)
}

/// What videos were taken for.
#[derive(Debug, Clone)]
pub struct Confusion {
    classes: usize,
    /// Videos of the row's class that were taken for the column's.
    counts: Vec<u64>,
    /// Videos whose class was among the first five.
    in_five: u64,
}

/// Accuracies, as shares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Videos.
    pub count: u64,
    /// Videos whose best class was theirs.
    pub top1: f64,
    /// Videos whose class was among the best five; none where there are no more classes than five.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// Mean of the accuracies of the classes that have videos.
    pub mean_class: f64,
    /// Each class, in the order of the data set.
    pub classes: Vec<ClassScore>,
}

/// Accuracy of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScore {
    /// Its name.
    pub class: String,
    /// Videos.
    pub count: u64,
    /// Videos whose best class was theirs.
    pub right: u64,
    /// Their share; none without videos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

/// Mean over splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mean {
    pub top1: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    pub mean_class: f64,
}

impl Mean {
    /// Of at least one.
    pub fn of(scores: &[&Score]) -> Mean {
        let count = scores.len().max(1) as f64;
        let mean =
            |value: &dyn Fn(&Score) -> f64| scores.iter().map(|score| value(score)).sum::<f64>() / count;
        let all_five: Option<Vec<f64>> = scores.iter().map(|score| score.top5).collect();
        Mean {
            top1: mean(&|score| score.top1),
            top5: all_five.map(|shares| shares.iter().sum::<f64>() / count),
            mean_class: mean(&|score| score.mean_class),
        }
    }
}

impl Confusion {
    pub fn new(classes: usize) -> Confusion {
        Confusion { classes, counts: vec![0; classes * classes], in_five: 0 }
    }

    /// A video of a class.
    pub fn add(&mut self, class: usize, logits: &[f32]) {
        self.counts[class * self.classes + best(logits)] += 1;
        self.in_five += u64::from(rank(logits, class) < FIVE);
    }

    /// For each class what its videos were taken for.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.counts.chunks(self.classes.max(1))
    }

    /// The accuracies; `names` are those of the classes.
    pub fn score(&self, names: &[String]) -> Score {
        let share = |right: u64, count: u64| right as f64 / count.max(1) as f64;
        let class = |(index, (name, row)): (usize, (&String, &[u64]))| {
            let (right, count) = (row[index], row.iter().sum());
            ClassScore {
                class: name.clone(),
                count,
                right,
                accuracy: (count > 0).then(|| share(right, count)),
            }
        };
        let classes: Vec<ClassScore> = names.iter().zip(self.rows()).enumerate().map(class).collect();
        let (count, right) = classes.iter().fold((0, 0), |(n, r), class| (n + class.count, r + class.right));
        let tested: Vec<f64> = classes.iter().filter_map(|class| class.accuracy).collect();
        Score {
            count,
            top1: share(right, count),
            top5: (self.classes > FIVE).then(|| share(self.in_five, count)),
            mean_class: tested.iter().sum::<f64>() / tested.len().max(1) as f64,
            classes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_first_wins() {
        assert_eq!(best(&[0.0, 2.0, 2.0, 1.0]), 1);
        assert_eq!([0, 1, 2, 3].map(|class| rank(&[0.0, 2.0, 2.0, 1.0], class)), [3, 0, 1, 2]);
    }

    #[test]
    fn accuracies_are_those_of_a_count_by_hand() {
        let names: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(String::from).to_vec();
        let mut confusion = Confusion::new(6);
        // Descending logits: the best is a, and f is not among the first five.
        let descending = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0];
        for class in [0, 0, 0, 1, 5] {
            confusion.add(class, &descending);
        }
        confusion.add(1, &[0.0, 9.0, 0.0, 0.0, 0.0, 0.0]);
        let score = confusion.score(&names);
        assert_eq!((score.count, score.top1, score.top5), (6, 4.0 / 6.0, Some(5.0 / 6.0)));
        assert_eq!(score.mean_class, (1.0 + 0.5 + 0.0) / 3.0, "classes without videos do not count");
        assert_eq!(score.classes[1].accuracy, Some(0.5));
        assert_eq!(score.classes[2].accuracy, None);
        assert_eq!(confusion.rows().nth(1), Some(&[1, 1, 0, 0, 0, 0][..]));
        let few = Confusion::new(5).score(&names[..5]);
        assert_eq!((few.top5, few.top1), (None, 0.0));
        let mean = Mean::of(&[&score, &Score { top1: 0.0, ..score.clone() }]);
        assert_eq!((mean.top1, mean.top5), (2.0 / 6.0, Some(5.0 / 6.0)));
        assert_eq!(Mean::of(&[&score, &few]).top5, None);
    }
}
