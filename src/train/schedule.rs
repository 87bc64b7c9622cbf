//! How large a step is.

use serde::{Deserialize, Serialize};

/// Learning rate by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The rate at first.
    pub rate: f32,
    /// Steps over which the rate rises from nought.
    pub warm_up: u64,
    /// How it falls.
    pub fall: Fall,
}

/// How a learning rate falls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fall {
    /// To a tenth of what it was at each of these steps, ascending: the paper's way.
    Tenths(Vec<u64>),
    /// Along half a cosine, to nought after so many steps (Loshchilov & Hutter, "SGDR", 2017, without restarts).
    Cosine(u64),
}

impl Schedule {
    /// The rate of step `step`, counted from 0.
    pub fn rate(&self, step: u64) -> f32 {
        let warm = if step < self.warm_up { (step + 1) as f32 / self.warm_up as f32 } else { 1.0 };
        let left = match &self.fall {
            Fall::Tenths(steps) => 0.1f32.powi(steps.iter().filter(|&&from| step >= from).count() as i32),
            Fall::Cosine(steps) => {
                let share = (step as f32 / *steps as f32).min(1.0);
                0.5 * (1.0 + (std::f32::consts::PI * share).cos())
            }
        };
        self.rate * warm * left
    }
}

/// Makes the rate a tenth of what it was when the validation loss no longer falls, as in the paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Validations without a better loss after which the rate falls; 0 for never.
    pub patience: u32,
    /// The best loss so far.
    pub best: Option<f64>,
    /// Validations since then.
    pub waited: u32,
    /// How often the rate has fallen.
    pub falls: u32,
}

impl Plateau {
    /// Before any validation.
    pub fn new(patience: u32) -> Plateau {
        Plateau { patience, best: None, waited: 0, falls: 0 }
    }

    /// Takes note of a validation loss; gives whether it is the best so far.
    pub fn note(&mut self, loss: f64) -> bool {
        if self.best.is_none_or(|best| loss < best) {
            (self.best, self.waited) = (Some(loss), 0);
            return true;
        }
        self.waited += 1;
        if self.patience > 0 && self.waited >= self.patience {
            (self.waited, self.falls) = (0, self.falls + 1);
        }
        false
    }

    /// What the schedule's rate is multiplied by.
    pub fn factor(&self) -> f32 {
        0.1f32.powi(self.falls as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_then_falls_in_tenths() {
        let schedule = Schedule { rate: 0.4, warm_up: 4, fall: Fall::Tenths(vec![10, 20]) };
        let rates = [0, 1, 3, 4, 9, 10, 19, 20].map(|step| schedule.rate(step));
        let want = [0.1, 0.2, 0.4, 0.4, 0.4, 0.04, 0.04, 0.004];
        assert!(rates.iter().zip(want).all(|(rate, want)| (rate - want).abs() < 1e-7), "{rates:?}");
    }

    #[test]
    fn the_rate_follows_a_cosine_down_to_nought() {
        let schedule = Schedule { rate: 0.4, warm_up: 2, fall: Fall::Cosine(8) };
        let rates = [0, 2, 4, 6, 8, 9].map(|step| schedule.rate(step));
        let want = [0.2, 0.341_421_36, 0.2, 0.058_578_64, 0.0, 0.0];
        assert!(rates.iter().zip(want).all(|(rate, want)| (rate - want).abs() < 1e-6), "{rates:?}");
    }

    #[test]
    fn the_rate_falls_when_the_loss_does_not() {
        let mut plateau = Plateau::new(2);
        let better: Vec<bool> = [3.0, 2.0, 2.5, 2.0, 1.9, 2.0, 2.1].map(|loss| plateau.note(loss)).to_vec();
        assert_eq!(better, [true, true, false, false, true, false, false]);
        assert_eq!((plateau.falls, plateau.best), (2, Some(1.9)));
        assert!((plateau.factor() - 0.01).abs() < 1e-6);
        let mut never = Plateau::new(0);
        assert!(never.note(1.0) && (0..9).all(|_| !never.note(1.0)));
        assert_eq!(never.factor(), 1.0);
    }
}
