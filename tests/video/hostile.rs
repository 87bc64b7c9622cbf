//! Files that name other files, and decoders that hang, flood or lie.

use crate::{failure, ffmpeg, folder};
use i3d::video::{FrameSource, Tools, open_with};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[test]
fn files_that_name_other_files_are_refused() {
    let dir = folder();
    let dir = dir.path();
    ffmpeg(dir, "-f lavfi -i testsrc2=size=32x32:rate=25:duration=1 -c:v libx264 -pix_fmt yuv420p secret.ts");
    ffmpeg(dir, "-f lavfi -i testsrc2=size=32x32 -frames:v 1 img1.tif");
    let playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n";
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"32\" height=\"32\"><image href=\"img1.tif\"/></svg>";
    let concat = "ffconcat version 1.0\nfile secret.ts\n";
    for (name, text) in [
        ("list.m3u8", format!("{playlist}#EXT-X-ENDLIST\n")),
        ("list.mp4", format!("{playlist}#EXT-X-ENDLIST\n")),
        ("live.mp4", playlist.to_owned()),
        ("join.ffconcat", concat.to_owned()),
        ("join.mp4", concat.to_owned()),
        ("drawing.svg", svg.to_owned()),
        ("drawing.mp4", svg.to_owned()),
        ("img%d.tif", "II*\0".to_owned()),
    ] {
        let path = dir.join(name);
        std::fs::write(&path, text).expect("it is written");
        let (count, text) = failure(&path);
        assert_eq!(count, 0, "{name}");
        assert!(text.starts_with(&path.display().to_string()) && !text.contains('\n'), "{name}: {text}");
    }
    // Whoever trusts a playlist can read it.
    let tools = Tools { playlists: true, ..Tools::default() };
    let mut source = open_with(&tools, &dir.join("list.m3u8")).expect("it is allowed");
    assert!(source.next_frame().expect("it decodes").is_some());
}

#[cfg(unix)]
#[test]
fn decoders_that_misbehave_are_ended() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let video = ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=size=64x64:rate=25:duration=2 -c:v libx264 -pix_fmt yuv420p v.mp4",
    );
    let program = |name: &str, script: &str| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it is written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        path
    };
    let says = |tools: &Tools| -> String {
        let mut source = match open_with(tools, &video) {
            Ok(source) => source,
            Err(error) => return error.to_string(),
        };
        loop {
            match source.next_frame() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no complaint with {tools:?}"),
                Err(error) => return error.to_string(),
            }
        }
    };
    let base = Tools { patience: Duration::from_secs(3), ..Tools::default() };
    let marker = dir.path().join("marker-of-a-child").display().to_string();
    for (name, script, words) in [
        ("sleep", "exec sleep 3600".to_owned(), "gave nothing for 3 s"),
        (
            "ignores",
            "trap '' TERM INT HUP PIPE; while :; do sleep 1; done".to_owned(),
            "gave nothing for 3 s",
        ),
        ("child", format!("sh -c 'sleep 3600; : {marker}'"), "gave nothing for 3 s"),
        (
            "flood",
            "while :; do echo '[error] something is wrong' >&2; done".to_owned(),
            "gave nothing for 3 s",
        ),
        ("line", "cat /dev/zero >&2".to_owned(), "gave nothing for 3 s"),
        ("zeros", "exec cat /dev/zero".to_owned(), "NUT stream"),
        ("garbage", "exec head -c 3000000 /dev/urandom".to_owned(), "NUT stream"),
        ("nothing", "exit 7".to_owned(), "exit status: 7"),
        ("early", "ffmpeg \"$@\" | head -c 20000; exit 0".to_owned(), "breaks after"),
        ("killed", "ffmpeg \"$@\" | head -c 40000; kill -SEGV $$".to_owned(), "breaks after"),
    ] {
        let text = says(&Tools { ffmpeg: program(name, &script), ..base.clone() });
        assert!(text.contains(words), "{name}: {text}");
        assert!(!text.contains('\n') && text.len() < 500, "{name}: {text}");
    }
    for (name, script, words) in [
        ("probe_sleep", "exec sleep 3600", "within 3 s"),
        ("probe_zeros", "exec cat /dev/zero", "is"),
        ("probe_garbage", "exec head -c 100000 /dev/urandom", "really ffprobe"),
        (
            "probe_huge",
            r#"echo '{"streams":[{"index":0,"codec_type":"video","width":4294967295,"height":4294967295,"pix_fmt":"rgb24"}],"format":{}}'"#,
            "4294967295x4294967295",
        ),
        (
            "probe_large",
            r#"echo '{"streams":[{"index":0,"codec_type":"video","width":20000,"height":20000,"pix_fmt":"rgb24"}],"format":{}}'"#,
            "20000x20000",
        ),
    ] {
        let text = says(&Tools { ffprobe: program(name, script), ..base.clone() });
        assert!(text.contains(words), "{name}: {text}");
    }
    if cfg!(target_os = "linux") {
        assert!(!is_running(&marker), "a child of a decoder was left");
    }
}

/// Whether a process runs whose command line holds `words`.
fn is_running(words: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("Linux has it").flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(words))
}

#[test]
fn what_is_cut_off_is_still_told() {
    let dir = folder();
    let dir: &Path = dir.path();
    for (name, more) in [
        ("fast.mp4", "-c:v libx264 -movflags +faststart"),
        ("fragments.mp4", "-c:v libx264 -g 10 -movflags frag_keyframe+empty_moov"),
        ("v.mkv", "-c:v libx264"),
        ("v.webm", "-c:v libvpx"),
        ("v.avi", "-c:v mpeg4"),
        ("v.flv", "-c:v flv1"),
    ] {
        let path = ffmpeg(
            dir,
            &format!("-f lavfi -i testsrc2=size=160x120:rate=25:duration=8 -pix_fmt yuv420p {more} {name}"),
        );
        let data = std::fs::read(&path).expect("ffmpeg wrote it");
        for share in [3, 7] {
            let cut = dir.join(format!("cut{share}_{name}"));
            std::fs::write(&cut, &data[..data.len() * share / 10]).expect("it is written");
            let (count, text) = failure(&cut);
            let told = text.contains("breaks after") || text.contains("is damaged");
            assert!(told && (30..190).contains(&count), "{name} {share}: {count} {text}");
        }
    }
}
