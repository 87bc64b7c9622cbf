//! A clip, the input of one network, and the array files that carry clips (`.npy` and `.npz`).

mod npy;
mod range;

pub use npy::npy_bytes;
pub use range::{Range, Scale};

use crate::error::{Error, Result};
use crate::network::Stream;
use std::io::{Cursor, Read};

/// Bytes that an array in an archive may unpack to, however small it is there: 890 frames of 224x224 pixels.
pub const UNPACKED: u64 = 512 << 20;

/// How many times its size in the archive an array may unpack to where it is larger than [`UNPACKED`]. Pictures and flow shrink
/// to a tenth at best.
pub const PACKED: u64 = 64;

/// The input of one network: frames of equal size, as the network sees them.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Number of frames, T.
    pub frames: usize,
    /// Height in pixels, H.
    pub height: usize,
    /// Width in pixels, W.
    pub width: usize,
    /// Channels, C: 3 for RGB, 2 for flow.
    pub channels: usize,
    /// The values in `[-1, 1]`.
    ///
    /// # Shapes
    /// `[T, H, W, C]`.
    pub data: Vec<f32>,
}

impl Clip {
    /// A clip without frames.
    pub fn empty(height: usize, width: usize, channels: usize) -> Clip {
        Clip { frames: 0, height, width, channels, data: Vec::new() }
    }

    /// The stream that takes clips of so many channels, if one does.
    pub fn stream(&self) -> Option<Stream> {
        Stream::from_channels(self.channels)
    }

    /// Number of values in a frame.
    pub fn frame_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Appends a frame.
    ///
    /// # Shapes
    /// `frame` `[H, W, C]`.
    pub fn push_frame(&mut self, frame: &[f32]) -> Result<()> {
        if frame.len() != self.frame_len() {
            let Clip { height, width, channels, .. } = self;
            let found = frame.len();
            let problem =
                format!("a frame of {found} values does not fit into a clip of {height}x{width}x{channels}");
            return Err(Error::clip("clip", problem));
        }
        self.data.extend_from_slice(frame);
        self.frames += 1;
        Ok(())
    }

    /// The first `frames` frames; all where there are no more.
    #[must_use]
    pub fn first(mut self, frames: usize) -> Clip {
        self.frames = self.frames.min(frames);
        self.data.truncate(self.frames * self.frame_len());
        self
    }

    /// The clip repeated from its start until it has at least `frames` frames, as the paper does with short videos.
    /// Clips that are long enough, and clips without frames, stay as they are.
    #[must_use]
    pub fn looped_to(mut self, frames: usize) -> Clip {
        let once = self.data.len();
        if once == 0 || self.frames >= frames {
            return self;
        }
        let wanted = frames * self.frame_len();
        self.data.reserve_exact(wanted - once);
        while self.data.len() < wanted {
            let more = once.min(wanted - self.data.len());
            self.data.extend_from_within(..more);
        }
        self.frames = frames;
        self
    }

    /// The clip as a `.npy` file, float32, `[T, H, W, C]`.
    pub fn to_npy(&self) -> Vec<u8> {
        npy_bytes(&[self.frames, self.height, self.width, self.channels], &self.data)
    }

    /// Reads a `.npy` file, or the array in a `.npz` file for `stream`; told apart by their content.
    pub fn from_bytes(place: &str, bytes: &[u8], stream: Option<Stream>) -> Result<Clip> {
        match bytes.starts_with(b"PK") {
            true => Clip::from_npz(place, bytes, stream),
            false => Clip::from_npy(place, bytes),
        }
    }

    /// Reads a `.npy` file: float32 of either byte order, `[T, H, W, C]` or `[1, T, H, W, C]` in C or Fortran order,
    /// 3 channels (RGB) or 2 (flow), all values finite. `place` names the file in messages.
    pub fn from_npy(place: &str, bytes: &[u8]) -> Result<Clip> {
        let fail = |problem: String| Error::clip(place, problem);
        if bytes.is_empty() {
            return Err(fail("the file is empty (0 bytes); save the array again".into()));
        }
        let (header, payload) = npy::Header::parse(bytes)
            .map_err(|problem| fail(problem + "; save the array with numpy.save"))?;
        let dims = dimensions(&header).map_err(fail)?;
        let float = header.float(payload).map_err(fail)?;
        let data = if header.fortran_order { from_fortran(dims, &float) } else { float };
        let [frames, height, width, channels] = dims;
        if let Some(index) = data.iter().position(|value| !value.is_finite()) {
            let (pixel, c) = (index / channels, index % channels);
            let (t, y, x) = (pixel / width / height, pixel / width % height, pixel % width);
            let value = data[index];
            return Err(fail(format!(
                "the value at [t={t}, y={y}, x={x}, c={c}] is {value}; a clip must be finite, so repair what computed it"
            )));
        }
        Ok(Clip { frames, height, width, channels, data })
    }

    /// Reads an array of a `.npz` file, compressed or not. Which one: the only array; else the one named like
    /// `stream` (`rgb` or `flow`), or without a `stream` the only one with either name; else `arr_0`, numpy's name
    /// for the first array without a name.
    pub fn from_npz(place: &str, bytes: &[u8], stream: Option<Stream>) -> Result<Clip> {
        let damaged = |error: zip::result::ZipError| {
            Error::clip(
                place,
                format!("this is no intact .npz archive ({error}); save the arrays again with numpy.savez"),
            )
        };
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        let names = archive.file_names().collect::<Result<Vec<_>, _>>().map_err(damaged)?;
        let mut keys: Vec<String> =
            names.iter().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect();
        keys.sort();
        let key = choose(&keys, stream).map_err(|problem| Error::clip(place, problem))?;
        let entry = archive.by_name(&format!("{key}.npy")).map_err(damaged)?;
        let (size, packed) = (entry.size(), entry.compressed_size());
        let inside = format!("{place}, array `{}`", key.chars().take(100).collect::<String>());
        let fail = |problem: String| Error::clip(&inside, problem);
        let most = PACKED.saturating_mul(packed).max(UNPACKED);
        if size > most {
            return Err(fail(format!(
                "the array takes {size} bytes and {packed} in the archive; archives are unpacked to {UNPACKED} bytes, or to {PACKED} times their \
                 size: save it with numpy.savez or numpy.save, uncompressed"
            )));
        }
        let unreadable = |error: std::io::Error| {
            fail(format!("the array cannot be unpacked ({error}); save it again with numpy.savez"))
        };
        let mut array = Vec::new();
        // Never more than the archive announces, and not all at once, for it may announce anything.
        entry.take(size).read_to_end(&mut array).map_err(unreadable)?;
        Clip::from_npy(&inside, &array)
    }
}

/// The key to read from an archive, or a sentence that lists the keys.
fn choose(keys: &[String], stream: Option<Stream>) -> Result<&str, String> {
    if let [only] = keys {
        return Ok(only);
    }
    let named = |name: &str| keys.iter().find(|key| *key == name).map(String::as_str);
    let fitting = match stream {
        Some(stream) => named(stream.name()),
        None => match (named(Stream::Rgb.name()), named(Stream::Flow.name())) {
            (Some(_), Some(_)) => {
                return Err("the archive holds both `rgb` and `flow`; give it as --rgb-clip, as --flow-clip, or as both".into());
            }
            (rgb, flow) => rgb.or(flow),
        },
    };
    if let Some(key) = fitting.or_else(|| named("arr_0")) {
        return Ok(key);
    }
    let wanted =
        stream.map_or("`rgb`, `flow` or `arr_0`".to_owned(), |stream| format!("`{stream}` or `arr_0`"));
    Err(match keys {
        [] => "the archive holds no arrays; save one with numpy.savez".to_owned(),
        keys => {
            let short = |key: &String| key.chars().take(40).collect::<String>();
            let some: Vec<String> = keys.iter().take(5).map(short).collect();
            let more = if keys.len() > some.len() { " and others" } else { "" };
            format!(
                "the archive holds `{}`{more}, and none is named {wanted}; give the clip that name, or save it alone",
                some.join("`, `")
            )
        }
    })
}

/// `[T, H, W, C]` of an array that can be a clip.
fn dimensions(header: &npy::Header) -> Result<[usize; 4], String> {
    let shape = header.shape.as_slice();
    let found = header.shape_text();
    let dims @ [.., channels] = match *shape {
        [t, h, w, c] | [1, t, h, w, c] => [t, h, w, c],
        [n, _, _, _, _] => {
            return Err(format!(
                "the array has shape {found}, {n} clips; give one clip, [T, H, W, C] or [1, T, H, W, C]"
            ));
        }
        _ => {
            return Err(format!(
                "the array has shape {found}; expected [T, H, W, C] or [1, T, H, W, C], frames first"
            ));
        }
    };
    if dims.contains(&0) {
        return Err(format!("the array has shape {found} and no values; a clip needs at least one frame"));
    }
    if Stream::from_channels(channels).is_none() {
        let hint = match dims {
            [2 | 3, ..] | [_, 2 | 3, ..] => "; the channels must come last, so transpose the array",
            _ => "",
        };
        return Err(format!(
            "the array has shape {found}, {channels} channels in its last axis; expected 3 (RGB) or 2 (flow){hint}"
        ));
    }
    Ok(dims)
}

/// Reorders an array whose first axis runs fastest.
///
/// # Shapes
/// `data` `[C, W, H, T]` when seen in C order; returns `[T, H, W, C]`.
fn from_fortran([frames, height, width, channels]: [usize; 4], data: &[f32]) -> Vec<f32> {
    let mut reordered = Vec::with_capacity(data.len());
    for t in 0..frames {
        for y in 0..height {
            for x in 0..width {
                reordered.extend((0..channels).map(|c| data[t + frames * (y + height * (x + width * c))]));
            }
        }
    }
    reordered
}
