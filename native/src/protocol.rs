//! How a network is tested on a video. Whoever tests one does it here, so that a network with a protocol of its own has it
//! everywhere.

use i3d::Result;
use i3d::backend::{Device, Head, Model, RunOptions};
use i3d::clip::Clip;
use i3d::network::MIN_FRAMES;
use i3d::train::Footage;
use i3d::weights::Weights;

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

    /// One score per class for a video, see [`Tested::head`].
    pub fn logits(&mut self, footage: &Footage, frames: usize) -> Result<Vec<f32>> {
        self.head(footage, frames)?.finite_logits(&self.device, self.options.precision)
    }

    /// One pass over the centre of the first `frames` frames; a shorter video begins again.
    pub fn head(&mut self, footage: &Footage, frames: usize) -> Result<Head> {
        let size = self.model.network().input_size;
        let frames = frames.max(MIN_FRAMES);
        let data = footage.crop(footage.centre(size), size, frames);
        let clip = Clip { frames, height: size, width: size, channels: footage.channels(), data };
        let Tested { model, device, options } = self;
        let work = || pollster::block_on(Head::of_clip(model, device, options.precision, &clip, &mut |_| ()));
        on_pool(&device.clone(), work)
    }
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
