//! Colours and sample formats: patches of known colours, written sample by sample in each format, must come out of the
//! preprocessing as the matrices of the standards have it.

use crate::{ffmpeg, folder, frames};
use i3d::preprocess::RgbPreprocess;
use std::collections::BTreeMap;

/// Five patches in a row, four rows.
const PATCHES: [[u8; 3]; 20] = [
    [0, 0, 0],
    [255, 255, 255],
    [128, 128, 128],
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [255, 255, 0],
    [0, 255, 255],
    [255, 0, 255],
    [192, 96, 32],
    [40, 40, 40],
    [220, 220, 220],
    [90, 160, 60],
    [60, 90, 160],
    [230, 190, 160],
    [20, 120, 120],
    [120, 20, 60],
    [70, 70, 200],
    [200, 70, 70],
    [16, 16, 16],
];

/// The weights of red and blue in luma: BT.601, BT.709 and BT.2020.
const SD: (f64, f64) = (0.299, 0.114);
const HD: (f64, f64) = (0.2126, 0.0722);
const UHD: (f64, f64) = (0.2627, 0.0593);

/// How the samples of a picture lie in memory.
#[derive(Clone, Copy)]
enum Layout {
    /// Planes of luma and chroma with a chroma sample for so many columns and rows, and an opaque plane of alpha if any.
    Planar { depth: u32, columns: usize, rows: usize, alpha: bool },
    /// A plane of luma, then blue and red differences in turn, for two columns and rows.
    Nv12,
    /// Two luma samples and their differences in turn.
    Yuyv,
    /// Bytes of a pixel, each a channel or 255 for what is no channel.
    Packed(&'static [usize]),
    /// A plane per channel, in this order.
    Channels([usize; 3]),
    /// Luma alone.
    Gray { depth: u32 },
    /// A bit per pixel, eight in a byte; which one white is.
    Mono { white: u8 },
    /// The number of the patch, and a palette of patches.
    Palette,
}

const fn planar(depth: u32, columns: usize, rows: usize) -> Layout {
    Layout::Planar { depth, columns, rows, alpha: false }
}

/// A picture of patches, and how it is kept.
struct Case {
    format: &'static str,
    layout: Layout,
    /// The matrix and whether the range is full; both without meaning where no luma is.
    weights: (f64, f64),
    full: bool,
    /// How ffmpeg keeps it, and what it writes down about its colours.
    codec: &'static str,
    ending: &'static str,
    size: (usize, usize),
    /// Levels by which a patch may be off: 8-bit samples in 4:2:0 are used as they are, all others are rounded.
    tolerance: f64,
}

const SIZE: (usize, usize) = (320, 256);

/// Exact but for the last bit of a 32-bit float.
const EXACT: f64 = 0.01;
/// A plane is rounded to 8 bits once: half a level of luma and of chroma, times the matrix.
const ROUNDED: f64 = 1.75;

fn case(format: &'static str, layout: Layout, weights: (f64, f64), full: bool, codec: &'static str) -> Case {
    let planar = matches!(layout, Layout::Planar { depth: 8, .. } | Layout::Nv12 | Layout::Yuyv);
    let bits = matches!(layout, Layout::Planar { .. } | Layout::Gray { .. }) && !planar;
    let tolerance = if bits { ROUNDED } else { EXACT };
    Case { format, layout, weights, full, codec, ending: "mkv", size: SIZE, tolerance }
}

/// The 24 cases and those that came later; `tags` are read by [`write`] as words of ffmpeg's command line.
fn cases() -> Vec<Case> {
    let i420 = planar(8, 2, 2);
    let h264 = |format, weights, full, codec| case(format, i420, weights, full, codec);
    vec![
        h264("yuv420p", SD, false, "libx264 -qp 0 -color_range tv -colorspace smpte170m"),
        h264("yuvj420p", SD, true, "libx264 -qp 0 -color_range pc -colorspace smpte170m"),
        h264("yuv420p", SD, false, "ffv1 -color_range tv -colorspace bt470bg"),
        h264("yuv420p", HD, false, "libx264 -qp 0 -color_range tv -colorspace bt709"),
        h264("yuv420p", HD, true, "ffv1 -color_range pc -colorspace bt709"),
        h264("yuv420p", UHD, false, "ffv1 -color_range tv -colorspace bt2020nc"),
        case("yuv420p10le", planar(10, 2, 2), UHD, true, "ffv1 -color_range pc -colorspace bt2020nc"),
        // What nobody describes is BT.601 below 720 lines, and BT.709 from there on.
        h264("yuv420p", SD, false, "ffv1"),
        Case { size: (720, 720), ..h264("yuv420p", HD, false, "ffv1") },
        case("yuv422p", planar(8, 2, 1), SD, false, "ffv1"),
        case("yuv444p", planar(8, 1, 1), HD, false, "ffv1 -color_range tv -colorspace bt709"),
        case("yuv411p", planar(8, 4, 1), SD, false, "ffv1"),
        case("yuv410p", planar(8, 4, 4), SD, false, "ffv1"),
        case("yuva420p", Layout::Planar { depth: 8, columns: 2, rows: 2, alpha: true }, SD, false, "ffv1"),
        case("yuv420p10le", planar(10, 2, 2), HD, false, "ffv1 -color_range tv -colorspace bt709"),
        case("yuv422p10le", planar(10, 2, 1), SD, false, "ffv1"),
        case("yuv444p12le", planar(12, 1, 1), SD, false, "ffv1"),
        Case { ending: "nut", ..case("nv12", Layout::Nv12, SD, false, "rawvideo") },
        Case { ending: "nut", ..case("yuyv422", Layout::Yuyv, SD, false, "rawvideo") },
        case("rgb24", Layout::Packed(&[0, 1, 2]), SD, true, "huffyuv"),
        case("rgba", Layout::Packed(&[0, 1, 2, 255]), SD, true, "png"),
        case("bgr0", Layout::Packed(&[2, 1, 0, 255]), SD, true, "ffv1"),
        case("gbrp", Layout::Channels([1, 2, 0]), SD, true, "utvideo"),
        case("pal8", Layout::Palette, SD, true, "png"),
        case("gray", Layout::Gray { depth: 8 }, SD, true, "ffv1 -color_range pc"),
        case("gray10le", Layout::Gray { depth: 10 }, SD, true, "ffv1 -color_range pc"),
        case("monob", Layout::Mono { white: 1 }, SD, true, "png"),
        Case { ending: "nut", ..case("monow", Layout::Mono { white: 0 }, SD, true, "rawvideo") },
    ]
}

/// Luma and the two differences as numbers of so many bits, not rounded.
fn encode(rgb: [u8; 3], (red, blue): (f64, f64), full: bool, depth: u32) -> [f64; 3] {
    let [r, g, b] = rgb.map(|value| f64::from(value) / 255.0);
    let y = red * r + (1.0 - red - blue) * g + blue * b;
    let (cb, cr) = ((b - y) / (2.0 * (1.0 - blue)), (r - y) / (2.0 * (1.0 - red)));
    let (step, top) = (f64::from(1 << (depth - 8)), f64::from((1 << depth) - 1));
    match full {
        true => [top * y, top * cb + 128.0 * step, top * cr + 128.0 * step],
        false => [16.0 + 219.0 * y, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr].map(|value| value * step),
    }
}

/// The other way, from whole numbers to levels of 0 to 255.
fn decode([y, cb, cr]: [f64; 3], (red, blue): (f64, f64), full: bool, depth: u32) -> [f64; 3] {
    let (step, top) = (f64::from(1 << (depth - 8)), f64::from((1 << depth) - 1));
    let [y, cb, cr] = match full {
        true => [y / top, (cb - 128.0 * step) / top, (cr - 128.0 * step) / top],
        false => [(y / step - 16.0) / 219.0, (cb / step - 128.0) / 224.0, (cr / step - 128.0) / 224.0],
    };
    let (r, b) = (y + 2.0 * (1.0 - red) * cr, y + 2.0 * (1.0 - blue) * cb);
    let g = (y - red * r - blue * b) / (1.0 - red - blue);
    [r, g, b].map(|value| 255.0 * value.clamp(0.0, 1.0))
}

impl Case {
    fn depth(&self) -> u32 {
        match self.layout {
            Layout::Planar { depth, .. } | Layout::Gray { depth } => depth,
            _ => 8,
        }
    }

    fn patch(&self, x: usize, y: usize) -> usize {
        let (width, height) = self.size;
        y * 4 / height * 5 + x * 5 / width
    }

    /// Luma and differences of a patch as they are stored.
    fn samples(&self, patch: usize) -> [f64; 3] {
        let top = f64::from((1 << self.depth()) - 1);
        // Pure red and blue have half a step more than the full range holds.
        encode(PATCHES[patch], self.weights, self.full, self.depth()).map(|value| value.round().min(top))
    }

    /// What a patch must look like.
    fn expected(&self, patch: usize) -> [f64; 3] {
        let samples = self.samples(patch);
        match self.layout {
            Layout::Packed(_) | Layout::Channels(_) | Layout::Palette => PATCHES[patch].map(f64::from),
            Layout::Mono { .. } => [if is_light(patch) { 255.0 } else { 0.0 }; 3],
            Layout::Gray { depth } => [255.0 * samples[0] / f64::from((1 << depth) - 1); 3],
            _ => decode(samples, self.weights, self.full, self.depth()),
        }
    }

    /// A frame in the format.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let depth = self.depth();
        let mut put = |value: f64| match depth {
            8 => bytes.push(value as u8),
            _ => bytes.extend((value as u16).to_le_bytes()),
        };
        let (width, height) = self.size;
        // The patch of every so manieth column and row.
        let grid = |columns: usize, rows: usize| {
            let row = move |y| (0..width).step_by(columns).map(move |x| (x, y));
            (0..height).step_by(rows).flat_map(row).map(|(x, y)| self.patch(x, y))
        };
        match self.layout {
            Layout::Planar { columns, rows, alpha, .. } => {
                grid(1, 1).for_each(|patch| put(self.samples(patch)[0]));
                grid(columns, rows).for_each(|patch| put(self.samples(patch)[1]));
                grid(columns, rows).for_each(|patch| put(self.samples(patch)[2]));
                grid(1, 1).filter(|_| alpha).for_each(|_| put(255.0));
            }
            Layout::Nv12 => {
                grid(1, 1).for_each(|patch| put(self.samples(patch)[0]));
                grid(2, 2).for_each(|patch| self.samples(patch)[1..].iter().for_each(|&value| put(value)));
            }
            Layout::Yuyv => grid(2, 1).for_each(|patch| {
                let [y, cb, cr] = self.samples(patch);
                [y, cb, y, cr].into_iter().for_each(&mut put);
            }),
            Layout::Packed(order) => grid(1, 1).for_each(|patch| {
                let value = |&channel: &usize| PATCHES[patch].get(channel).copied().unwrap_or(255);
                order.iter().for_each(|channel| put(value(channel).into()));
            }),
            Layout::Channels(order) => order
                .into_iter()
                .for_each(|channel| grid(1, 1).for_each(|patch| put(PATCHES[patch][channel].into()))),
            Layout::Gray { .. } => grid(1, 1).for_each(|patch| put(self.samples(patch)[0])),
            Layout::Mono { white } => {
                let bits: Vec<u8> =
                    grid(1, 1).map(|patch| if is_light(patch) { white } else { 1 - white }).collect();
                bytes.extend(bits.chunks(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit)));
            }
            Layout::Palette => {
                grid(1, 1).for_each(|patch| put(patch as f64));
                let color = |patch: usize| PATCHES.get(patch).copied().unwrap_or_default();
                // Blue, green, red and alpha.
                bytes.extend((0..256).map(color).flat_map(|[r, g, b]| [b, g, r, 255]));
            }
        }
        bytes
    }
}

fn is_light(patch: usize) -> bool {
    PATCHES[patch].iter().map(|&value| u32::from(value)).sum::<u32>() > 360
}

/// Decodes what ffmpeg keeps of every case, and gives sentences about patches that are off.
fn wrong(cases: &[Case]) -> Vec<String> {
    let dir = folder();
    let (mut inputs, mut outputs) = (String::new(), String::new());
    for (index, case) in cases.iter().enumerate() {
        // Two frames, so that nothing takes it for a still.
        std::fs::write(dir.path().join(format!("{index}.raw")), case.bytes().repeat(2))
            .expect("it is written");
        let Case { format, codec, ending, size: (width, height), .. } = case;
        inputs += &format!(
            "-f rawvideo -pixel_format {format} -video_size {width}x{height} -framerate 25 -i {index}.raw "
        );
        outputs += &format!("-map {index}:v -pix_fmt {format} -c:v {codec} {index}.{ending} ");
    }
    ffmpeg(dir.path(), &format!("{inputs}{outputs}"));
    let mut problems = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let name = format!("{} in {}", case.format, case.codec);
        let got = frames(&dir.path().join(format!("{index}.{}", case.ending)));
        assert_eq!(got.len(), 2, "{name}");
        for (patch, got) in means(case, &got[1]) {
            let want = case.expected(patch);
            let off = got.iter().zip(want).map(|(got, want)| (got - want).abs()).fold(0.0, f64::max);
            if off > case.tolerance {
                problems.push(format!("{name}: {:?} is {got:.2?}, not {want:.2?}", PATCHES[patch]));
            }
        }
    }
    problems
}

/// The mean colour of every patch in the network's input, without its edges.
fn means(case: &Case, frame: &i3d::video::Frame) -> BTreeMap<usize, [f64; 3]> {
    let preprocess = RgbPreprocess::for_input(224);
    let (size, region) = (preprocess.resized_size(frame), preprocess.crop_region(frame));
    let input = preprocess.rgb_from_frame(frame);
    let (width, height) = case.size;
    let edge = 12 * height / SIZE.1;
    let mut sums: BTreeMap<usize, ([f64; 3], f64)> = BTreeMap::new();
    for (index, pixel) in input.chunks(3).enumerate() {
        let source = |at: usize, from: usize, to: usize| (2 * at + 1) * from / (2 * to);
        let x = source(region.left + index % 224, width, size.width);
        let y = source(region.top + index / 224, height, size.height);
        let patch = case.patch(x, y);
        let inside = |at: usize, side: usize| at >= edge && at + edge < side;
        let (left, right) = (x.saturating_sub(edge), (x + edge).min(width - 1));
        let (top, bottom) = (y.saturating_sub(edge), (y + edge).min(height - 1));
        let whole = [(left, top), (right, top), (left, bottom), (right, bottom)];
        if inside(x, width) && inside(y, height) && whole.iter().all(|&(x, y)| case.patch(x, y) == patch) {
            let (sum, count) = sums.entry(patch).or_default();
            sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += (f64::from(*value) + 1.0) * 127.5);
            *count += 1.0;
        }
    }
    assert!(sums.len() >= 12, "{} patches are seen", sums.len());
    sums.into_iter().map(|(patch, (sum, count))| (patch, sum.map(|sum| sum / count))).collect()
}

#[test]
fn colours_come_out_as_the_standards_have_them() {
    let cases = cases();
    assert!(cases.len() >= 24);
    let problems = wrong(&cases);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn gray_that_nobody_describes_has_the_full_range() {
    let gray = |format, depth| case(format, Layout::Gray { depth }, SD, true, "ffv1");
    let problems = wrong(&[gray("gray", 8), gray("gray10le", 10)]);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
