//! Everything that is no intact video: one clear sentence each, after the frames before the break.

use crate::{failure, ffmpeg, folder};
use i3d::video::{Tools, open, open_with};
use std::path::Path;

#[track_caller]
fn says(path: &Path, words: &[&str]) -> usize {
    let (count, text) = failure(path);
    assert!(text.starts_with(&path.display().to_string()), "the place comes first: {text}");
    assert!(!text.contains('\n') && text.len() < 420, "one sentence: {text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    count
}

#[test]
fn files_that_are_no_video() {
    let dir = folder();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("it is written");
        path
    };
    says(&dir.path().join("missing.mp4"), &["there is no such file", "check the name"]);
    says(&file("empty.mp4", b""), &["empty", "0 bytes"]);
    says(&file("text.mp4", "Just some words.\n".repeat(50).as_bytes()), &["not a video"]);
    says(&file("text.txt", "Just some words.\n".repeat(50).as_bytes()), &["text file"]);
    says(&file("bm.txt", "BM is no picture.\n".repeat(50).as_bytes()), &["text file"]);
    says(&file("noise.avi", &[7; 5000]), &["not a video"]);
    says(&file("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"), &["damaged"]);
    std::fs::create_dir(dir.path().join("bare")).expect("it is made");
    says(&dir.path().join("bare"), &["no pictures", "png"]);
    let sound = ffmpeg(dir.path(), "-f lavfi -i sine=duration=1 -c:a aac sound.mp4");
    says(&sound, &["sound but no video"]);
    let error = open(&dir.path().join("missing.mp4")).err().expect("it is missing");
    assert_eq!(error.code(), "io");
}

#[test]
fn cut_off_videos() {
    let dir = folder();
    let source = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=4 -c:v libx264 -preset ultrafast -g 10";
    let whole = ffmpeg(dir.path(), &format!("{source} whole.mp4"));
    let bytes = std::fs::read(&whole).expect("ffmpeg wrote it");
    // The index stands at the end.
    let path = dir.path().join("noindex.mp4");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("it is written");
    says(&path, &["not a video", "moov atom not found"]);

    for name in ["fast.mp4", "stream.mkv"] {
        let flags = if name == "fast.mp4" { "-movflags +faststart" } else { "" };
        let whole = ffmpeg(dir.path(), &format!("{source} {flags} {name}"));
        let bytes = std::fs::read(&whole).expect("ffmpeg wrote it");
        let path = dir.path().join(format!("cut_{name}"));
        std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("it is written");
        let count = says(&path, &["the video breaks after", "ffmpeg says: "]);
        assert!((20..90).contains(&count), "{name}: {count} of 100 frames");
        let (_, text) = failure(&path);
        assert!(
            text.contains(&format!("breaks after {count} frames ({:.2} s)", (count - 1) as f64 / 25.0)),
            "{text}"
        );
    }
}

#[test]
fn damage_in_the_middle() {
    let dir = folder();
    let path = ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=size=320x240:rate=25:duration=4 -c:v libx264 -preset ultrafast -g 25 hole.mp4",
    );
    let mut bytes = std::fs::read(&path).expect("ffmpeg wrote it");
    let middle = bytes.len() / 2;
    for (i, byte) in bytes[middle..middle + 3000].iter_mut().enumerate() {
        *byte = (i * 151) as u8;
    }
    std::fs::write(&path, bytes).expect("it is written");
    let count = says(&path, &["ffmpeg says: "]);
    assert!(count > 50, "{count} of 100 frames");
}

#[test]
fn without_ffmpeg() {
    let dir = folder();
    let path = ffmpeg(dir.path(), "-f lavfi -i testsrc2=size=32x32:rate=5:duration=1 -c:v libx264 a.mp4");
    let good = Tools::default();
    let nowhere = dir.path().join("nowhere");
    for tools in [
        Tools { ffmpeg: nowhere.clone(), ..good.clone() },
        Tools { ffprobe: nowhere.clone(), ..good.clone() },
    ] {
        let text = open_with(&tools, &path).err().expect("there is no such program").to_string();
        for word in [
            "apt install ffmpeg",
            "dnf install",
            "brew install ffmpeg",
            "winget install",
            "I3D_FFMPEG",
            "nowhere",
        ] {
            assert!(text.contains(word), "`{word}` is missing in: {text}");
        }
    }
    let unstartable = open_with(&Tools { ffprobe: dir.path().to_owned(), ..good }, &path)
        .err()
        .expect("a folder is no program");
    assert!(unstartable.to_string().contains("cannot be started"), "{unstartable}");
}

/// Runs in a process of its own, because the environment belongs to the whole process.
#[test]
fn environment_names_the_programs() {
    const INNER: &str = "I3D_TEST_INNER";
    if std::env::var_os(INNER).is_some() {
        let tools = Tools::from_env();
        assert_eq!(
            (tools.ffmpeg.as_path(), tools.ffprobe.as_path()),
            (Path::new("/x/ffmpeg"), Path::new("/x/ffprobe"))
        );
        return;
    }
    let test = std::env::current_exe().expect("a test has a program");
    let status = std::process::Command::new(test)
        .args(["--exact", "bad_input::environment_names_the_programs"])
        .envs([(INNER, "1"), ("I3D_FFMPEG", "/x/ffmpeg"), ("I3D_FFPROBE", "/x/ffprobe")])
        .output()
        .expect("it starts")
        .status;
    assert!(status.success());
}
