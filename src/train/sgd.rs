//! Stochastic gradient descent with momentum and weight decay.

use crate::backend::cpu::{Gradients, UnitGradients};
use crate::network::Network;
use crate::weights::Parameters;

/// The optimiser: `velocity = momentum * velocity + gradient + decay * weight`, `weight -= rate * velocity`, as
/// TensorFlow's `MomentumOptimizer` does it. Decay is for convolution weights, not for offsets.
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd {
    /// Share of the velocity that stays; the paper uses 0.9.
    pub momentum: f32,
    /// Weight decay; DeepMind's recipe has 1e-7.
    pub decay: f32,
    /// One velocity per parameter.
    pub velocity: Gradients,
}

impl Sgd {
    /// An optimiser at rest.
    pub fn new(network: &Network, momentum: f32, decay: f32) -> Sgd {
        Sgd { momentum, decay, velocity: Gradients::zeros(network) }
    }

    /// Moves the parameters by a step of `rate`.
    pub fn step(&mut self, parameters: &mut Parameters, gradients: &Gradients, rate: f32) {
        let Sgd { momentum, decay, velocity } = self;
        let units = parameters.units.iter_mut().zip(&mut velocity.units).zip(&gradients.units);
        for ((own, UnitGradients { kernel, offset }), gradient) in units {
            let move_all = |values: &mut [f32], velocity: &mut [f32], gradient: &[f32], decay: f32| {
                for ((value, velocity), gradient) in values.iter_mut().zip(velocity).zip(gradient) {
                    *velocity = *momentum * *velocity + gradient + decay * *value;
                    *value -= rate * *velocity;
                }
            };
            move_all(&mut own.kernel, kernel, &gradient.kernel, *decay);
            move_all(&mut own.offset, offset, &gradient.offset, 0.0);
        }
    }
}
