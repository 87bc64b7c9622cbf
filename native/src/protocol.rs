//! How a network is tested on a video: the paper's Table 1, by system. Whoever tests one does it here, so that a network with a
//! protocol of its own has it everywhere.

use i3d::backend::{Activation, Device, Head, Model, RunOptions};
use i3d::clip::Clip;
use i3d::network::{LOGITS, Shape, System};
use i3d::plan::Plan;
use i3d::train::{Sampling, Views};
use i3d::weights::Weights;
use i3d::{Error, Result};

/// A network that is tested.
pub struct Tested {
    model: Model,
    device: Device,
    options: RunOptions,
}

impl Tested {
    /// A network on a device.
    pub fn new(device: &Device, weights: Weights, options: RunOptions) -> Result<Tested> {
        Ok(Tested { model: Model::new(device, weights, &options)?, device: device.clone(), options })
    }

    /// One score per class for the first `frames` frames of a video; a shorter video begins again.
    pub fn logits(&mut self, views: &Views, frames: usize) -> Result<Vec<f32>> {
        self.head(views, frames)?.finite_logits(&self.device, self.options.precision)
    }

    /// The mean of what the classifier sees of these frames; of an LSTM that of the last step.
    pub fn features(&mut self, views: &Views, frames: usize) -> Result<Vec<f32>> {
        Ok(mean_step(&self.head(views, frames)?.features))
    }

    /// Passes over the centre of the picture, as the system's protocol has them.
    fn head(&mut self, views: &Views, frames: usize) -> Result<Head> {
        let network = *self.model.network();
        let (sampling, starts) = Sampling::test(&network, frames);
        let device = self.device.clone();
        let mut windows = Vec::new();
        for start in starts {
            let crop = views.centre(network.input_size, start);
            let input = views.crop(crop, network.input_size, sampling);
            let work = || match network.system {
                System::I3d => self.long(input, sampling.steps),
                _ => self.window(input, sampling.steps),
            };
            windows.push(on_pool(&device, work)?);
        }
        let joined = |of: fn(&Head) -> &Activation| {
            let data: Vec<f32> = windows.iter().flat_map(|head| &of(head).data).copied().collect();
            let width = windows.first().map_or(1, |head| of(head).shape.c).max(1);
            Activation { shape: Shape::new(1, data.len() / width, 1, 1, width), data }
        };
        Ok(Head { features: joined(|head| &head.features), per_step: joined(|head| &head.per_step) })
    }

    /// A clip of any length through I3D.
    fn long(&mut self, data: Vec<f32>, frames: usize) -> Result<Head> {
        let network = self.model.network();
        let (size, channels) = (network.input_size, network.in_channels);
        let clip = Clip { frames, height: size, width: size, channels, data };
        let Tested { model, device, options } = self;
        pollster::block_on(Head::of_clip(model, device, options.precision, &clip, &mut |_| ()))
    }

    /// A clip through a network of another system, whose result is one step.
    fn window(&mut self, data: Vec<f32>, steps: usize) -> Result<Head> {
        let network = *self.model.network();
        let plan = Plan::new(&network, 1, steps)?.with_precision(self.options.precision);
        let observed: Vec<&str> = [LOGITS].into_iter().chain(network.features()).collect();
        let mut output = pollster::block_on(self.model.run(&plan, &data, &observed, &mut |_| ()))?;
        let per_step = output
            .endpoints
            .remove(LOGITS)
            .ok_or_else(|| Error::device(self.device.info(), format!("{LOGITS} was not computed")))?;
        let features = network.features().and_then(|name| output.endpoints.remove(name));
        let data = match features {
            Some(all) if network.system == System::ConvNetLstm => {
                all.data[all.data.len() - all.shape.c..].to_vec()
            }
            Some(all) => mean_step(&all),
            None => Vec::new(),
        };
        let features = Activation { shape: Shape::new(1, 1, 1, 1, data.len()), data };
        Ok(Head { features, per_step })
    }
}

/// The mean over all positions, `[C]`.
fn mean_step(values: &Activation) -> Vec<f32> {
    let width = values.shape.c;
    let count = (values.data.len() / width.max(1)) as f32;
    (0..width).map(|i| values.data.iter().skip(i).step_by(width).sum::<f32>() / count).collect()
}

/// Does work of the networks on one of the threads that also compute flow, where both run on the CPU. From outside, each
/// step of a network would queue behind the flow that waits there already; from inside, the network's steps come first
/// on this thread and flow fills the gaps of all.
pub fn on_pool<T: Send>(device: &Device, work: impl FnOnce() -> T + Send) -> T {
    match device {
        Device::Cpu { .. } => rayon::scope(|_| work()),
        Device::Gpu(_) => work(),
    }
}
