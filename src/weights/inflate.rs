//! From a 2-D Inception-V1 to I3D (the paper's section 2.4).
//!
//! Every kernel is repeated along time and divided by its length there, so that a video of one picture gives what the picture
//! gave. Zeros beyond the ends of a clip take part in that sum, so steps near the ends give less: of 128 equal frames the
//! logits' steps 6 to 8 are those of the 2-D network, and clips of fewer than 109 frames have no such step.
//!
//! The paper does not say how DeepMind made filters for two channels of flow out of filters for three colours. Here the mean
//! over the colours, as in temporal segment networks (Wang et al. 2015, arXiv 1507.02159), stands for each of the two channels,
//! times 3/2, so that a response keeps its scale with two terms instead of three.
//!
//! TF-slim's and torchvision's networks want pictures in `[-1, 1]`, as I3D does, and their batch norm has I3D's epsilon.
//! torchvision pads its first convolution by 3 pixels on all sides, where TensorFlow's rule, which I3D follows, pads 2 before and
//! 3 after: its features lie one pixel of the picture beside those of the inflated network.

use super::{Checkpoint, Parameters, Tensor};
use crate::error::{Error, Result};
use crate::network::{Network, Stream, System, Unit};

impl Checkpoint {
    /// The I3D of `stream` that this 2-D network, one of TF-slim's or torchvision's names or of the units' own, as the RGB network of `two-stream` has them, inflates
    /// to. The classifier remains the 2-D network's; [`Parameters::with_classes`] gives it another.
    ///
    /// # Shapes
    /// Kernels are `[1, kH, kW, Cin, Cout]` here and become `[kT, kH, kW, Cin, Cout]`; Cin of the first may become 2.
    ///
    /// # Errors
    /// Checkpoints that are no 2-D Inception-V1, lack something, or hold tensors of other sizes than I3D's.
    pub fn inflate(&self, stream: Stream) -> Result<Parameters> {
        // I3D's network with the channels that the 2-D one has.
        let flat = Network { system: System::I3d, ..self.network()? };
        let network = Network { in_channels: stream.channels(), ..flat };
        let mut inflated = self.clone();
        for (index, unit) in flat.units().iter().enumerate() {
            let name = format!("{}/conv_3d/w", unit.name);
            // Loading, below, tells what is missing.
            let Some(tensor) = inflated.tensors.get_mut(&name) else { continue };
            self.check(&name, &tensor.shape, unit)?;
            if index == 0 && flat.in_channels != network.in_channels {
                *tensor = self.for_flow(tensor, unit)?;
            }
            repeat_in_time(tensor, unit.kernel[0]);
        }
        Parameters::from_checkpoint(&inflated, &network)
    }

    /// Fails where a kernel is not the 2-D one of the unit.
    fn check(&self, name: &str, found: &[usize], unit: &Unit) -> Result<()> {
        let [kt, kh, kw] = unit.kernel;
        let expected = [1, kh, kw, unit.in_channels, unit.out_channels];
        if found == expected {
            return Ok(());
        }
        let problem = match found {
            [time, ..] if *time == kt && kt > 1 => {
                "has time already: this is no 2-D network, and there is nothing to inflate; `i3d train --from` takes it as it is"
                    .to_string()
            }
            _ => format!(
                "has shape {found:?}, expected {expected:?} ([1, kH, kW, Cin, Cout]): it is no Inception-V1 as I3D inflates \
                 it; give TF-slim's inception_v1.ckpt or torchvision's googlenet"
            ),
        };
        Err(Error::checkpoint(format!("{}: tensor {name}", self.place), problem))
    }

    /// A first kernel over colours as one over flow.
    fn for_flow(&self, tensor: &Tensor, unit: &Unit) -> Result<Tensor> {
        let (colours, channels) = (Stream::Rgb.channels(), Stream::Flow.channels());
        if unit.in_channels != colours {
            return Err(Error::checkpoint(
                &self.place,
                format!(
                    "takes {} input channels; a network of {colours} (colours) or of those of the stream can be inflated",
                    unit.in_channels
                ),
            ));
        }
        let out = unit.out_channels;
        let mut data = Vec::with_capacity(tensor.data.len() / colours * channels);
        for tap in tensor.data.chunks_exact(colours * out) {
            let sum = |o: usize| tap.iter().skip(o).step_by(out).map(|&w| f64::from(w)).sum::<f64>();
            // The mean is the sum over the colours; the scale, colours over channels, leaves the channels to divide by.
            let shared: Vec<f32> = (0..out).map(|o| (sum(o) / channels as f64) as f32).collect();
            (0..channels).for_each(|_| data.extend_from_slice(&shared));
        }
        let [_, kh, kw] = unit.kernel;
        Ok(Tensor { shape: vec![1, kh, kw, channels, out], data })
    }
}

/// Repeats a kernel of one time step `times` times and divides by that.
fn repeat_in_time(tensor: &mut Tensor, times: usize) {
    if times == 1 {
        return;
    }
    tensor.data.iter_mut().for_each(|w| *w /= times as f32);
    tensor.data = tensor.data.repeat(times);
    if let Some(time) = tensor.shape.first_mut() {
        *time = times;
    }
}
