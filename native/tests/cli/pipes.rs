//! Inputs that can be read once: standard input by all its names, FIFOs; and the clock of what comes out.
#![cfg(unix)]

use std::fs::File;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Run, Sandbox, logits};

/// Small networks and a transport stream.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_weights();
    sandbox.ffmpeg(
        "-f lavfi -i testsrc2=size=64x48:rate=25 -frames:v 12 -c:v libx264 -bf 0 -pix_fmt yuv420p v.ts",
    );
    sandbox
}

fn crc(run: Run) -> Value {
    let result = run.ok().json();
    assert!(!logits(&result, "rgb").is_empty());
    result["video"]["planes_crc32c"].clone()
}

const CLASSIFY: &str = "classify --device cpu --rgb rgb.safetensors --json -";

#[test]
fn pipes_are_read_and_standard_input_has_several_names() {
    let sandbox = sandbox();
    let expected = crc(sandbox.i3d(&format!("{CLASSIFY} v.ts")));
    for name in ["-", "/dev/stdin", "/dev/fd/0"] {
        let mut from_file = sandbox.command(&format!("{CLASSIFY} {name}"));
        from_file.stdin(File::open(sandbox.path("v.ts")).expect("it is there"));
        assert_eq!(crc(sandbox.finish(&mut from_file)), expected, "{name} from a file");

        let mut cat =
            Command::new("cat").arg(sandbox.path("v.ts")).stdout(Stdio::piped()).spawn().expect("cat starts");
        let mut from_pipe = sandbox.command(&format!("{CLASSIFY} {name}"));
        from_pipe.stdin(cat.stdout.take().expect("it is piped"));
        assert_eq!(crc(sandbox.finish(&mut from_pipe)), expected, "{name} from a pipe");
        cat.wait().expect("cat ends");
    }
    let made = Command::new("mkfifo").arg(sandbox.path("fifo.ts")).status().expect("mkfifo starts");
    assert!(made.success());
    let writer = format!("cat {} > {}", sandbox.path("v.ts").display(), sandbox.path("fifo.ts").display());
    let mut writer = Command::new("sh").args(["-c", &writer]).spawn().expect("sh starts");
    // Longer than what is looked at without counting, so that the video is opened twice.
    assert_eq!(crc(sandbox.i3d(&format!("{CLASSIFY} fifo.ts --frames all"))), expected);
    writer.wait().expect("it ends");
}

#[test]
fn what_cannot_be_read_is_refused_at_once() {
    let sandbox = sandbox();
    sandbox.i3d(&format!("{CLASSIFY} /dev/zero")).fails_with(2, "/dev/zero: ", &["device", "standard input"]);
    let mut nothing = sandbox.command(&format!("{CLASSIFY} -"));
    let run = sandbox.finish(nothing.stdin(Stdio::null())).exits(2);
    assert_eq!(run.errors().len(), 1, "{run:?}");
    sandbox.write("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nv.ts\n#EXT-X-ENDLIST\n");
    sandbox.i3d(&format!("{CLASSIFY} list.m3u8")).fails_with(2, "list.m3u8: ", &["hls", "--playlists"]);
    assert_ne!(crc(sandbox.i3d(&format!("--playlists {CLASSIFY} list.m3u8"))), Value::Null);
}

#[test]
fn times_are_those_of_the_container() {
    let sandbox = sandbox();
    sandbox.ffmpeg("-itsoffset 3 -i v.ts -f lavfi -i sine=duration=4 -map 0:v -map 1:a -c:v copy -c:a pcm_s16le late.mkv",
    );
    let run = sandbox.i3d(&format!(
        "{CLASSIFY} late.mkv --timeline --window 9 --step 3 --srt late.srt --vtt late.vtt --csv late.csv"
    ));
    let result = run.ok().json();
    let start = result["video"]["start_seconds"].as_f64().expect("a time");
    assert!((start - 3.0).abs() < 0.1, "{start}");
    assert_eq!(result["segments"][0]["start_seconds"], start);
    let second = result["segments"][1]["start_seconds"].as_f64().expect("a time");
    assert!((second - start - 0.12).abs() < 1e-9, "{second}");
    let text = |name: &str| String::from_utf8(sandbox.read(name)).expect("text");
    let stamp = format!("00:00:{:06.3}", start);
    assert!(text("late.vtt").contains(&format!("\n{stamp} --> ")), "{}", text("late.vtt"));
    assert!(text("late.srt").contains(&stamp.replace('.', ",")), "{}", text("late.srt"));
    assert!(text("late.csv").contains(&format!(",{start:.3},")), "{}", text("late.csv"));
}
