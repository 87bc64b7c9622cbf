//! What lies in the folder of a data set, by its content; a name decides only where the content says nothing.

use std::fs::{File, metadata};
use std::io::Read;
use std::path::Path;

use i3d::Result;
use i3d::video::{self, FrameSource};
use image::ImageFormat;

/// What something is, the best to take for a video first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A file of a format for moving pictures.
    Video,
    /// A GIF, PNG or WebP that moves.
    Animation,
    /// What only the decoder can tell.
    Unknown,
    /// A folder, which may hold frames.
    Folder,
    /// Called like a video, and surely none: empty, text or sound.
    Broken,
    /// A picture that stands still.
    Picture,
    /// Something else, such as text or sound.
    Other,
}

/// Bytes of a file that are looked at. The chunk that says whether a PNG moves may come behind a profile of colours.
const START: u64 = 1 << 12;
const START_OF_PNG: u64 = 1 << 16;

/// How formats for moving pictures begin: an offset and what stands there.
const VIDEO: [(usize, &[u8]); 20] = [
    (8, b"AVI "),
    (8, b"AVIX"),
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    // Matroska and WebM.
    (0, b"\x1a\x45\xdf\xa3"),
    (0, b"FLV\x01"),
    // ASF, which is also WMV.
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    // MPEG program streams, MPEG-1 and 2, MPEG-4 part 2, H.264 and H.265.
    (0, b"\0\0\x01\xba"),
    (0, b"\0\0\x01\xb3"),
    (0, b"\0\0\x01\xb0"),
    (0, b"\0\0\0\x01\x67"),
    (0, b"\0\0\0\x01\x09"),
    (0, b"\0\0\0\x01\x40"),
    (0, b"OggS"),
    (0, b"nut/multimedia container\0"),
    // MXF.
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01"),
    (0, b"YUV4MPEG2 "),
    (0, b"DKIF"),
];

/// How files begin that lie beside videos and hold no pictures.
const OTHER: [(usize, &[u8]); 19] = [
    (0, b"ID3"),
    (0, b"fLaC"),
    (8, b"WAVE"),
    (8, b"AIFF"),
    (0, b"#!AMR"),
    (0, b"ADIF"),
    (0, b"caff"),
    (0, b"MThd"),
    (0, b"wvPK"),
    // Arrays, archives, databases and models.
    (0, b"\x93NUMPY"),
    (0, b"PK\x03\x04"),
    (0, b"\x89HDF\r\n"),
    (0, b"\x1f\x8b"),
    (0, b"\xfd7zXZ"),
    (0, b"7z\xbc\xaf"),
    (0, b"\x28\xb5\x2f\xfd"),
    (0, b"SQLite format 3\0"),
    (0, b"%PDF"),
    (0, b"\xd0\xcf\x11\xe0"),
];

/// Brands of the MP4 family that are for sound or for pictures that stand still.
const QUIET_BRANDS: [&[u8]; 11] =
    [b"M4A ", b"M4B ", b"M4P ", b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"crx "];

/// Endings of files that are meant to be videos.
const VIDEO_ENDINGS: [&str; 37] = [
    "mp4", "m4v", "mov", "qt", "avi", "divx", "mkv", "webm", "wmv", "asf", "flv", "f4v", "mpg", "mpeg",
    "mpe", "m1v", "m2v", "vob", "ts", "mts", "m2ts", "3gp", "3g2", "ogv", "ogm", "mxf", "nut", "y4m", "gif",
    "apng", "rm", "rmvb", "dv", "h264", "h265", "mjpeg", "mjpg",
];

/// Endings of files that are meant to be sound, whatever their container could hold.
const SOUND_ENDINGS: [&str; 14] =
    ["m4a", "m4b", "m4p", "aac", "mp3", "mka", "oga", "ogg", "opus", "spx", "weba", "wma", "wav", "flac"];

/// Endings of pictures that stand still.
const PICTURE_ENDINGS: [&str; 6] = ["jpg", "jpeg", "jpe", "jfif", "jif", "mpo"];

/// What lies at `path`, by its first bytes.
pub fn kind(path: &Path) -> Kind {
    let failed = if ends(path, &VIDEO_ENDINGS) { Kind::Broken } else { Kind::Other };
    let Ok(metadata) = metadata(path) else { return failed };
    if metadata.is_dir() {
        return Kind::Folder;
    }
    // Reading a pipe or a device would wait for whoever writes there.
    if !metadata.is_file() || metadata.len() == 0 {
        return failed;
    }
    match start_of(path) {
        Ok(start) => of_content(path, &start).unwrap_or(failed),
        Err(_) => failed,
    }
}

fn start_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let (mut file, mut start) = (File::open(path)?, Vec::new());
    file.by_ref().take(START).read_to_end(&mut start)?;
    if start.starts_with(b"\x89PNG") {
        file.take(START_OF_PNG - START).read_to_end(&mut start)?;
    }
    Ok(start)
}

/// None is something that holds no pictures.
fn of_content(path: &Path, start: &[u8]) -> Option<Kind> {
    let begins = |table: &[(usize, &[u8])]| {
        table.iter().any(|&(at, magic)| start.get(at..).is_some_and(|rest| rest.starts_with(magic)))
    };
    if let Some(kind) = picture(path, start) {
        return Some(kind);
    }
    let packets = |size: usize, first: usize| {
        (0..3).all(|packet| start.get(first + packet * size) == Some(&0x47)) && start.len() > 2 * size
    };
    if begins(&VIDEO) || packets(188, 0) || packets(192, 4) {
        let brand =
            start.get(4..8) == Some(b"ftyp") && QUIET_BRANDS.iter().any(|b| start[8..].starts_with(b));
        let quiet = brand || ends(path, &SOUND_ENDINGS);
        return Some(if quiet { Kind::Unknown } else { Kind::Video });
    }
    // MPEG audio and AAC begin with eleven ones.
    let sound = start.len() > 1 && start[0] == 0xff && start[1] >= 0xe0;
    (!sound && !begins(&OTHER) && !is_text(start)).then_some(Kind::Unknown)
}

/// Whether a picture moves, if it is one.
fn picture(path: &Path, start: &[u8]) -> Option<Kind> {
    let moves = match image::guess_format(start).ok()? {
        ImageFormat::Gif => return Some(Kind::Animation),
        ImageFormat::Png => {
            let at = |chunk: &[u8]| start.windows(4).position(|window| window == chunk);
            at(b"acTL").is_some_and(|control| at(b"IDAT").is_none_or(|data| control < data))
        }
        ImageFormat::WebP => start.get(12..16) == Some(b"VP8X") && start.get(20).is_some_and(|b| b & 2 != 0),
        // Many of them in a row are a video.
        ImageFormat::Jpeg if !ends(path, &PICTURE_ENDINGS) => return Some(Kind::Unknown),
        ImageFormat::Jpeg => false,
        // Texts may begin with "BM" too.
        ImageFormat::Bmp if start.get(6..10) == Some(&[0; 4]) => false,
        _ => return None,
    };
    Some(if moves { Kind::Animation } else { Kind::Picture })
}

fn is_text(start: &[u8]) -> bool {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return true;
    }
    let text = match std::str::from_utf8(start) {
        Ok(_) => true,
        // The last character may be cut.
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    text && !start.iter().any(|&byte| byte < 7)
}

/// Asks the decoder about what the first bytes leave open: whether something unknown is a video, and whether a GIF moves.
pub fn ask(path: &Path, kind: Kind) -> Kind {
    let named = ends(path, &VIDEO_ENDINGS);
    match (kind, pictures(path)) {
        (Kind::Unknown, Err(_)) if named => Kind::Broken,
        (Kind::Unknown, Err(_)) => Kind::Other,
        // The cover of a piece of music.
        (Kind::Unknown, Ok(0 | 1)) if ends(path, &SOUND_ENDINGS) => Kind::Other,
        // Somebody who calls a picture a video does not make it one, but a video may have a single frame.
        (Kind::Unknown, Ok(0 | 1)) if !named || is_jpeg(path) => Kind::Picture,
        (Kind::Unknown, Ok(_)) => Kind::Video,
        (Kind::Animation, Ok(0 | 1)) => Kind::Picture,
        (kind, _) => kind,
    }
}

/// How many pictures come out, at most two.
fn pictures(path: &Path) -> Result<usize> {
    let mut source = video::open(path)?;
    let mut count = 0;
    while count < 2 && source.next_frame()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn is_jpeg(path: &Path) -> bool {
    let mut start = [0; 3];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"\xff\xd8\xff"
}

/// Whether the decoder takes it, as far as its first picture.
pub fn opens(path: &Path) -> Result<()> {
    video::open(path)?.next_frame().map(|_| ())
}

fn ends(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|own| endings.iter().any(|ending| own.eq_ignore_ascii_case(ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, bytes: &[u8]) -> Kind {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("it is written");
        kind(&path)
    }

    #[test]
    fn content_decides() {
        let mp4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
        for name in ["x.mp4", "x.json", "x.jpg", "x"] {
            assert_eq!(of(name, mp4), Kind::Video, "{name}");
        }
        assert_eq!(of("x.m4a", mp4), Kind::Unknown, "the container alone does not tell");
        assert_eq!(of("x.mp4", b"\0\0\0\x1cftypM4A \0\0\x02\0M4A isomiso2"), Kind::Unknown);
        assert_eq!(of("x.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"), Kind::Unknown);
        assert_eq!(of("x.avi", b"RIFF\x10\0\0\0AVI LIST"), Kind::Video);
        let packets: Vec<u8> = (0..3 * 188).map(|i| if i % 188 == 0 { 0x47 } else { 0xff }).collect();
        assert_eq!(of("x.ts", &packets), Kind::Video);
        for (name, bytes) in [
            ("x.json", &b"{\"a\": 1}"[..]),
            ("x.csv", "a,b\nä,ö\n".as_bytes()),
            ("x.wav", b"RIFF\x10\0\0\0WAVEfmt \0\0\0\0"),
            ("x.mp3", b"ID3\x04\0\0\0\0\0\0"),
            ("x.mp3", b"\xff\xfb\x90\x64\0\0\0\0"),
            ("x.npy", b"\x93NUMPY\x01\0"),
            ("x.json", b""),
        ] {
            assert_eq!(of(name, bytes), Kind::Other, "{name}");
            assert_eq!(of("x.mp4", bytes), Kind::Broken, "{name} that is called a video");
        }
        assert_eq!(of("x.dat", &[7, 0, 200, 1, 3, 0, 0, 9]), Kind::Unknown);
    }

    #[test]
    fn pictures_stand_still_unless_they_say_otherwise() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF";
        assert_eq!((of("x.jpg", jpeg), of("x.mjpeg", jpeg)), (Kind::Picture, Kind::Unknown));
        let png =
            |chunk: &[u8]| [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &[0; 17][..], chunk, b"\0\0IDAT"].concat();
        assert_eq!(of("x.png", &png(b"pHYs")), Kind::Picture);
        assert_eq!(of("x.png", &png(b"acTL")), Kind::Animation);
        let webp = |flags: u8| [&b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0"[..], &[flags, 0, 0, 0]].concat();
        assert_eq!((of("x.webp", &webp(2)), of("x.webp", &webp(16))), (Kind::Animation, Kind::Picture));
        assert_eq!(of("x.mp4", b"GIF89a"), Kind::Animation);
        assert_eq!(of("x.bmp", b"BM is no picture."), Kind::Other);
    }
}
