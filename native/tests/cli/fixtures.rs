//! What the tests feed to the program.

use std::collections::BTreeMap;
use std::process::Command;

use i3d::clip::npy_bytes;
use i3d::network::{Network, Stream};
use i3d::plan::Precision;
use i3d::weights::{Checkpoint, Format, Metadata, Tensor};

use crate::Sandbox;

pub type Tensors = BTreeMap<String, Tensor>;

/// Height and width of the small networks' clips in pixels.
pub const SIZE: usize = 32;

/// Numbers in `[-1, 1)` that look random and are the same on every machine.
pub fn noise(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// A network of 1/16 of the paper's channels.
pub fn network(stream: Stream, classes: usize) -> Network {
    Network { width: 0.0625, input_size: SIZE, ..Network::i3d(stream, classes) }
}

/// Variables with which values neither vanish nor explode on their way through the network.
pub fn variables(network: &Network) -> Tensors {
    let mut next = noise(network.in_channels as u32);
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let fan_in: usize = shape.split_last().map_or(1, |(_, rest)| rest.iter().product());
        let (middle, reach) = match name.rsplit('/').next() {
            Some("w") => (0.0, (6.0 / fan_in as f32).sqrt()),
            Some("moving_variance") => (1.0, 0.2),
            _ => (0.0, 0.1),
        };
        let data = (0..shape.iter().product()).map(|_| middle + reach * next()).collect();
        (name, Tensor { shape, data })
    };
    network.variables().into_iter().map(tensor).collect()
}

pub fn checkpoint(stream: Stream, classes: usize) -> Checkpoint {
    let network = network(stream, classes);
    let metadata = Metadata {
        width: Some(network.width),
        input_size: Some(network.input_size),
        classes: Some(classes),
        ..Metadata::default()
    };
    let (place, sha256) = ("made by a test".to_string(), "0".repeat(64));
    let tensors = variables(&network);
    Checkpoint { place, format: Format::Safetensors, sha256, tensors, metadata, skipped: Vec::new() }
}

pub fn safetensors(stream: Stream, classes: usize) -> Vec<u8> {
    checkpoint(stream, classes).to_safetensors(None, Precision::F32).expect("the checkpoint is whole")
}

/// The values of a clip, `[T, SIZE, SIZE, C]`.
pub fn clip_values(frames: usize, channels: usize) -> Vec<f32> {
    let mut next = noise(frames as u32);
    (0..frames * SIZE * SIZE * channels).map(|_| next()).collect()
}

/// A clip as `.npy`.
pub fn npy(frames: usize, channels: usize) -> Vec<u8> {
    npy_bytes(&[frames, SIZE, SIZE, channels], &clip_values(frames, channels))
}

/// A `.npy` file of any type and shape.
pub fn npy_of(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let mut file = b"\x93NUMPY\x01\0".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(values);
    file
}

/// The zip file with its last entry claiming to unpack to so many bytes, as only the newer 64-bit fields can say.
pub fn claiming(mut file: Vec<u8>, size: u64) -> Vec<u8> {
    let find = |signature: &[u8]| file.windows(4).rposition(|w| w == signature).expect("a whole zip file");
    let (entry, end) = (find(b"PK\x01\x02"), find(b"PK\x05\x06"));
    let name = file[entry + 28] as usize;
    assert_eq!(file[entry + 29..entry + 32], [0, 0, 0], "a short name and nothing else");
    let field: Vec<u8> = [1, 0, 8, 0].into_iter().chain(size.to_le_bytes()).collect();
    let directory = file[end + 12] + field.len() as u8;
    file[end + 12] = directory;
    file[entry + 24..entry + 28].copy_from_slice(&[0xff; 4]);
    file[entry + 30] = field.len() as u8;
    file.splice(entry + 46 + name..entry + 46 + name, field);
    file
}

impl Sandbox {
    /// A folder with `rgb.safetensors` and `flow.safetensors` of 5 classes.
    pub fn with_weights() -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.write("rgb.safetensors", safetensors(Stream::Rgb, 5));
        sandbox.write("flow.safetensors", safetensors(Stream::Flow, 5));
        sandbox
    }

    /// Runs ffmpeg in the folder.
    pub fn ffmpeg(&self, arguments: &str) {
        let output = Command::new("ffmpeg")
            .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"])
            .args(arguments.split_whitespace())
            .current_dir(self.path(""))
            .output()
            .expect("the tests need ffmpeg: install it");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ffmpeg {arguments} failed: {words}");
    }

    /// A video of so many frames of 64x48 pixels at 25 frames per second.
    pub fn video(&self, name: &str, frames: usize) {
        self.ffmpeg(&format!(
            "-f lavfi -i testsrc2=size=64x48:rate=25 -frames:v {frames} -c:v mpeg4 -g 5 {name}"
        ));
    }

    /// So many PNG pictures, `1.png` and so on, of 48x40 pixels.
    pub fn pictures(&self, folder: &str, frames: usize) -> Vec<image::RgbaImage> {
        std::fs::create_dir_all(self.path(folder)).expect("the folder is made");
        let pictures = pictures(frames);
        for (i, picture) in pictures.iter().enumerate() {
            let rgb = image::DynamicImage::from(picture.clone()).into_rgb8();
            rgb.save(self.path(&format!("{folder}/{}.png", i + 1))).expect("the picture is written");
        }
        pictures
    }

    /// The pictures of [`Sandbox::pictures`] as a GIF at 25 frames per second.
    pub fn gif(&self, name: &str, frames: usize) {
        use image::codecs::gif::{GifEncoder, Repeat};
        let file = std::fs::File::create(self.path(name)).expect("the file is made");
        let mut encoder = GifEncoder::new_with_speed(file, 1);
        encoder.set_repeat(Repeat::Infinite).expect("it is written");
        let delay = image::Delay::from_numer_denom_ms(40, 1);
        let frame = |picture| image::Frame::from_parts(picture, 0, 0, delay);
        encoder.encode_frames(pictures(frames).into_iter().map(frame)).expect("it is written");
    }
}

/// Moving stripes in a few colours, so that a GIF's palette holds every one of them.
fn pictures(frames: usize) -> Vec<image::RgbaImage> {
    let color = |t: usize, x: u32, y: u32| {
        let stripe = ((x as usize + 3 * t) / 5 + y as usize / 9) % 4;
        [[20, 40, 200, 255], [250, 250, 240, 255], [10, 120, 30, 255], [200, 30, 90, 255]][stripe]
    };
    let picture = |t| image::RgbaImage::from_fn(48, 40, |x, y| image::Rgba(color(t, x, y)));
    (0..frames).map(picture).collect()
}

pub fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// DeepMind's names and those of a port, a column of the table of names.
pub fn names(column: usize) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        (columns[0].to_string(), columns[column].to_string())
    };
    include_str!("../../../tests/fixtures/weight_names.tsv").lines().skip(1).map(row).collect()
}
