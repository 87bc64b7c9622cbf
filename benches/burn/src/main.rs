//! Three of I3D's convolutions in Burn, one turn for every line of standard input.
//!
//! `burn-conv3d FRAMES SIZE [software]`: length, and height and width, of the clip whose convolutions these are. Answers
//! every line with the milliseconds of each, by DeepMind's names, as JSON. Bias and ReLU are included; the time ends when the
//! device is done. The first turn tunes.

use std::io::BufRead;
use std::time::Instant;

use burn::tensor::module::conv3d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, DeviceKind, Distribution, Tensor, activation};

/// Name, input `[C, T, H, W]` for a clip of so many frames and pixels, output channels, kernel size and stride.
type Layer = (&'static str, fn(usize, usize) -> [usize; 4], usize, usize, usize);

const LAYERS: [Layer; 3] = [
    ("Conv3d_1a_7x7", |frames, size| [3, frames, size, size], 64, 7, 2),
    ("Conv3d_2b_1x1", |frames, size| [64, frames.div_ceil(2), size.div_ceil(4), size.div_ceil(4)], 64, 1, 1),
    ("Conv3d_2c_3x3", |frames, size| [64, frames.div_ceil(2), size.div_ceil(4), size.div_ceil(4)], 192, 3, 1),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [frames, size, software @ ..] = &arguments[..] else {
        return Err("usage: burn-conv3d FRAMES SIZE [software]".into());
    };
    let (frames, size) = (frames.parse()?, size.parse()?);
    let software = software.iter().any(|argument| argument == "software");
    let device = Device::wgpu(if software { DeviceKind::Cpu } else { DeviceKind::DefaultDevice });
    let random = |scale: f64| Distribution::Uniform(-scale, scale);
    let layers: Vec<_> = LAYERS
        .iter()
        .map(|&(name, input, channels, kernel, stride)| {
            let [c, t, h, w] = input(frames, size);
            let x = Tensor::<5>::random([1, c, t, h, w], random(1.0), &device);
            let weight = Tensor::<5>::random([channels, c, kernel, kernel, kernel], random(0.1), &device);
            let bias = Tensor::<1>::random([channels], random(0.1), &device);
            // As much padding before as after: the output is as large as with TensorFlow's.
            let options = ConvOptions::new([stride; 3], [kernel / 2; 3], [1; 3], 1);
            (name, x, weight, bias, options)
        })
        .collect();
    device.sync()?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let mut times = Vec::new();
        for (name, x, weight, bias, options) in &layers {
            let start = Instant::now();
            let y = conv3d(x.clone(), weight.clone(), Some(bias.clone()), options.clone());
            let _y = activation::relu(y);
            device.sync()?;
            times.push(format!("\"{name}\": {}", 1e3 * start.elapsed().as_secs_f64()));
        }
        println!("{{{}}}", times.join(", "));
    }
    Ok(())
}
