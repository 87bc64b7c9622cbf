//! A folder of pictures, or a pattern that matches pictures, as a video of 25 frames per second.

use super::pattern::matches;
use super::picture::{picture_frame, picture_size};
use super::{Frame, FrameSource, VideoInfo, series};
use crate::error::{Error, Result};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Pictures carry no times; they are taken to be as far apart as the frames of I3D's training videos.
const FRAMES_PER_SECOND: f64 = 25.0;

/// How the names of pictures end.
pub const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "bmp", "gif"];

/// The pictures of a folder in natural order of their names (`2.png` before `10.png`).
#[derive(Debug)]
pub struct Folder {
    files: Vec<PathBuf>,
    next: usize,
    info: VideoInfo,
}

impl Folder {
    /// The pictures in the folder `path`, of several series the one in colour; folders in it, hidden files and other files are left
    /// out.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::io(path.display(), source);
        let entries = std::fs::read_dir(path).map_err(io)?;
        let files =
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().map_err(io)?;
        let mut pictures: Vec<_> = files.into_iter().filter(|file| is_picture(file)).collect();
        if pictures.is_empty() {
            return Err(Error::video(
                path.display(),
                format!(
                    "the folder holds no pictures ({}); put the frames there, or give videos by their names",
                    EXTENSIONS.join(", ")
                ),
            ));
        }
        pictures.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
        Self::new(series::choose(path, pictures).map_err(|problem| Error::video(path.display(), problem))?)
    }

    /// All pictures that match the pattern `path`.
    pub fn glob(path: &Path) -> Result<Self> {
        let pattern = path.to_string_lossy();
        let matches = matches(path).map_err(|error| {
            Error::video(&pattern, format!("there is no such file, and the pattern is wrong: {error}"))
        })?;
        let mut pictures = Vec::new();
        let mut other = None;
        for file in matches {
            if is_picture(&file) {
                pictures.push(file);
            } else {
                other = Some(file);
            }
        }
        match (pictures.is_empty(), other) {
            (false, _) => Self::new(pictures),
            (true, Some(other)) => Err(Error::video(
                &pattern,
                format!(
                    "the pattern matches no pictures, only files such as {}; give video files by their names",
                    other.display()
                ),
            )),
            (true, None) => {
                Err(Error::video(&pattern, "there is no such file, and no picture matches this pattern"))
            }
        }
    }

    fn new(mut files: Vec<PathBuf>) -> Result<Self> {
        files.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
        let size = |file: &Path| picture_size(file).map_err(|error| unreadable(file, &error));
        let mut sizes = files.iter().map(|file| size(file).map(|size| (file, size)));
        let Some((first, (width, height))) = sizes.next().transpose()? else {
            return Err(Error::Usage("a video of pictures needs at least one picture".into()));
        };
        // Headers are quick to read; an odd one out is better found before an hour of work than after.
        for entry in sizes {
            let (file, (w, h)) = entry?;
            if (w, h) != (width, height) {
                let first = first.display();
                let problem = format!(
                    "the picture has {w}x{h} pixels, but {first} has {width}x{height}; all pictures of a video must \
                     have one size"
                );
                return Err(Error::video(file.display(), problem));
            }
        }
        let codec = first.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let info = VideoInfo {
            frames: Some(files.len() as u64),
            fps: Some(FRAMES_PER_SECOND),
            width,
            height,
            duration_seconds: Some(files.len() as f64 / FRAMES_PER_SECOND),
            codec,
            ..VideoInfo::default()
        };
        Ok(Folder { files, next: 0, info })
    }
}

impl FrameSource for Folder {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some(file) = self.files.get(self.next) else {
            return Ok(None);
        };
        let frame = picture_frame(file, self.next as f64 / FRAMES_PER_SECOND);
        match frame.map_err(|error| unreadable(file, &error)) {
            Ok(frame) => {
                self.next += 1;
                Ok(Some(frame))
            }
            Err(error) => {
                self.next = self.files.len();
                Err(error)
            }
        }
    }
}

fn unreadable(file: &Path, reason: &str) -> Error {
    Error::video(
        file.display(),
        format!("the picture cannot be read ({reason}); replace it or take it out of the folder"),
    )
}

fn is_picture(file: &Path) -> bool {
    let hidden = file.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let known =
        file.extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)));
    known && !hidden && file.is_file()
}

/// Compares names as people do: runs of digits by their value, all else by letter. Names that differ only in leading
/// zeros keep the order of their letters.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (x, y) = (digits(left), digits(right));
        if !x.is_empty() && !y.is_empty() {
            let (p, q) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            let order = p.len().cmp(&q.len()).then_with(|| p.cmp(q));
            if order.is_ne() {
                return order;
            }
            (left, right) = (&left[x.len()..], &right[y.len()..]);
            continue;
        }
        let (mut p, mut q) = (left.chars(), right.chars());
        match (p.next(), q.next()) {
            (Some(x), Some(y)) if x == y => (left, right) = (p.as_str(), q.as_str()),
            (Some(x), Some(y)) => return x.cmp(&y),
            (None, None) => return a.cmp(b),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        }
    }
}

fn digits(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn natural_order() {
        let mut names =
            ["b.png", "frame10.png", "frame9.png", "frame1.png", "frame010.png", "a2b10", "a2b9", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["a", "a2b9", "a2b10", "b.png", "frame1.png", "frame9.png", "frame010.png", "frame10.png"]
        );
    }
}
