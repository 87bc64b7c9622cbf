//! Videos, GIFs and pictures: all kinds of input lead to the same clip, and broken ones to a sentence.

use serde_json::Value;

use crate::{Sandbox, assert_close, logits};

fn result(sandbox: &Sandbox, arguments: &str) -> Value {
    sandbox.classify(&format!("--rgb rgb.safetensors --json - {arguments}")).ok().json()
}

#[test]
fn gif_folder_and_glob_of_the_same_pictures_agree() {
    let sandbox = Sandbox::with_weights();
    // More than nine, so that names must be sorted as numbers.
    sandbox.pictures("frames", 12);
    sandbox.gif("a.gif", 12);
    let expected = result(&sandbox, "frames");
    assert_eq!(expected["video"]["sampled_frames"], 12);
    for input in ["a.gif", "frames/*.png"] {
        let found = result(&sandbox, input);
        assert_eq!(found["input"], input);
        assert_close(&logits(&found, "rgb"), &logits(&expected, "rgb"), 1e-6);
    }
}

#[test]
fn the_dumped_input_fed_back_gives_the_same_logits() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 14);
    let dump = "dump a.mp4 --device cpu --rgb rgb.safetensors --endpoint input -o clip.npy";
    let run = sandbox.i3d(dump).ok();
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("clip.npy: input [14, 32, 32, 3] float32"), "{run:?}");
    let of = |input: &str| logits(&result(&sandbox, input), "rgb");
    assert_eq!(of("clip.npy"), of("a.mp4"));
}

#[test]
fn a_glob_of_videos_stands_for_each_of_them() {
    let sandbox = Sandbox::with_weights();
    for name in ["b.mp4", "a.mp4", "c.txt"] {
        if name.ends_with("mp4") { sandbox.video(name, 9) } else { sandbox.write(name, "words") }
    }
    let results = result(&sandbox, "*.mp4");
    let names: Vec<&Value> = results.as_array().expect("an array").iter().map(|r| &r["input"]).collect();
    assert_eq!(names, ["a.mp4", "b.mp4"]);
    sandbox
        .classify("*.mkv --rgb rgb.safetensors")
        .fails(2, "*.mkv: no file matches this pattern; check its folder and its ending");
}

#[test]
fn a_pattern_in_a_folder_with_brackets_finds_what_is_there() {
    let sandbox = Sandbox::with_weights();
    sandbox.pictures("clips [2024]/frames [1]", 9);
    sandbox.video("c.mp4", 9);
    for name in ["clips [2024]/b.mp4", "clips [2024]/a.mp4", "clips 2/never.mp4", "[x] c.mp4"] {
        sandbox.write(name, sandbox.read("c.mp4"));
    }
    let results = |patterns: &[&str]| -> Vec<String> {
        let mut command = sandbox.command("classify --device cpu --rgb rgb.safetensors --json -");
        let result = sandbox.finish(command.args(patterns)).ok().json();
        let all = result.as_array().cloned().unwrap_or_else(|| vec![result]);
        all.iter().map(|one| one["input"].as_str().expect("a name").to_string()).collect()
    };
    assert_eq!(results(&["clips [2024]/*.mp4"]), ["clips [2024]/a.mp4", "clips [2024]/b.mp4"]);
    assert_eq!(results(&["clips [2024]/[b].mp4"]), ["clips [2024]/b.mp4"]);
    assert_eq!(results(&["clips [2024]/frames [1]/*.png"]), ["clips [2024]/frames [1]/*.png"]);
    assert_eq!(results(&["clips [2024]/frames [1]"]), ["clips [2024]/frames [1]"]);
    assert_eq!(results(&["[x] *.mp4"]), ["[x] c.mp4"]);
    assert_eq!(results(&["[x] c.mp4", "[c].mp4"]), ["[x] c.mp4", "c.mp4"]);
}

#[test]
fn files_that_are_no_video_are_told() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("empty.mp4", "");
    sandbox.video("whole.mp4", 20);
    let whole = sandbox.read("whole.mp4");
    sandbox.write("cut.mp4", &whole[..whole.len() / 2]);
    sandbox.ffmpeg("-f lavfi -i sine=duration=1 -c:a aac sound.mp4");
    sandbox.write("folder/readme.txt", "words");
    sandbox.pictures("sizes", 3);
    image::RgbImage::new(10, 12).save(sandbox.path("sizes/2.png")).expect("it is written");
    sandbox.pictures("torn", 9);
    let picture = sandbox.read("torn/5.png");
    sandbox.write("torn/5.png", &picture[..20]);
    let on = |input: &str| sandbox.classify(&format!("{input} --rgb rgb.safetensors"));
    on("missing.mp4").fails(2, "missing.mp4: there is no such file or folder; check the name");
    on("empty.mp4").fails(2, "empty.mp4: the file is empty (0 bytes); copy or download it again");
    on("cut.mp4").fails_with(
        2,
        "cut.mp4: ",
        &["not a video that ffmpeg can read", "moov atom not found", "give an intact"],
    );
    on("sound.mp4").fails(2, "sound.mp4: the file has sound but no video; give a file with a video stream");
    on("folder").fails_with(
        2,
        "folder: the folder holds no pictures",
        &["png", "put the frames there, or give videos by their names"],
    );
    on("sizes").fails(
        2,
        "sizes/2.png: the picture has 10x12 pixels, but sizes/1.png has 48x40; all pictures of a video must have one size",
    );
    on("torn").fails_with(2, "torn/5.png: the picture cannot be read (", &["replace it or take it out"]);
}

#[test]
fn a_video_that_breaks_is_classified_up_to_the_break() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("whole.mkv", 100);
    let whole = sandbox.read("whole.mkv");
    sandbox.write("cut.mkv", &whole[..whole.len() / 2]);
    let run = sandbox.classify("cut.mkv --rgb rgb.safetensors --json -").exits(1);
    let result = run.json();
    let sampled = result["video"]["sampled_frames"].as_u64().expect("a number");
    assert!((20..90).contains(&sampled), "{result}");
    assert_eq!(logits(&result, "rgb").len(), 5);
    assert_eq!(result["error"]["code"], "video");
    let message = result["error"]["message"].as_str().expect("a sentence");
    assert!(message.starts_with("cut.mkv: the video breaks after "), "{message}");
    assert_eq!(run.errors(), [format!("{message}; what came before is classified")]);

    // The same frames of the whole video.
    let same = sandbox.classify(&format!("whole.mkv --rgb rgb.safetensors --json - --frames {sampled}")).ok();
    assert_close(&logits(&same.json(), "rgb"), &logits(&result, "rgb"), 1e-6);
    assert_eq!(same.json()["error"], Value::Null);

    let run =
        sandbox.i3d("dump cut.mkv --device cpu --rgb rgb.safetensors --endpoint input -o x.npy").exits(1);
    assert_eq!(run.errors(), [format!("{message}; what came before is written")]);
    assert!(!sandbox.read("x.npy").is_empty());
}

#[test]
fn without_ffmpeg_the_sentence_says_how_to_install_it() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 9);
    let mut command = sandbox.command("classify a.mp4 --device cpu --rgb rgb.safetensors");
    let run = sandbox.finish(command.env("I3D_FFPROBE", "nowhere/ffprobe"));
    run.fails_with(2, "a.mp4: decoding video needs ffmpeg", &["apt install ffmpeg", "I3D_FFPROBE"]);
}

#[cfg(unix)]
#[test]
fn pictures_that_claim_to_be_huge_take_no_memory() {
    let sandbox = Sandbox::with_weights();
    // 16,000 x 16,000 pixels in 43 bytes: a canvas, and a frame of one pixel.
    let gif = |canvas: u16, frame: u16| {
        let [c, f] = [canvas, frame].map(|side| [side.to_le_bytes(), side.to_le_bytes()].concat());
        let head = [b"GIF89a", &c[..], &[0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2c, 0, 0, 0, 0]].concat();
        [&head[..], &f, &[0, 2, 2, 0x4c, 1, 0, 0x3b]].concat()
    };
    sandbox.write("canvas.gif", gif(16_000, 1));
    sandbox.write("frame.gif", gif(8, 65_535));
    sandbox.write("folder/1.gif", gif(65_535, 65_535));
    for (input, words) in [
        (
            "canvas.gif",
            "canvas.gif: the picture cannot be read: it has 16000x16000 pixels, and at most 134217728 are read",
        ),
        ("frame.gif", "frame.gif: the animation breaks after 0 frames"),
        ("folder", "1.gif: the picture cannot be read (it has 65535x65535 pixels"),
    ] {
        let run = std::process::Command::new("sh")
            .args(["-c", "ulimit -v 1500000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_i3d"), "classify"])
            .args(["--device", "cpu", "--threads", "1", "--rgb", "rgb.safetensors", input])
            .current_dir(sandbox.path(""))
            .output()
            .expect("there is a shell");
        let told = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{input}: {told}");
        assert!(told.contains(words), "{input}: {told}");
    }
}

#[test]
fn pixels_have_the_shape_that_the_video_says() {
    let sandbox = Sandbox::with_weights();
    sandbox.ffmpeg("-f lavfi -i testsrc2=s=128x96:r=25:d=0.5 -c:v ffv1 -pix_fmt yuv444p square.mkv");
    sandbox.ffmpeg("-i square.mkv -vf scale=64:96:flags=area,setsar=2/1 -c:v ffv1 wide.mkv");
    let input = |arguments: &str| {
        sandbox
            .i3d(&format!("dump {arguments} --device cpu --rgb rgb.safetensors --endpoint input -o x.npy"))
            .ok();
        let bytes = sandbox.read("x.npy");
        let (values, _) = bytes[128..].as_chunks::<4>();
        values.iter().map(|value| f64::from(f32::from_le_bytes(*value))).collect::<Vec<f64>>()
    };
    let square = input("square.mkv");
    let difference = |arguments: &str| {
        let other = input(arguments);
        assert_eq!(other.len(), square.len());
        other.iter().zip(&square).map(|(a, b)| (a - b).abs()).sum::<f64>() * 127.5 / square.len() as f64
    };
    let (applied, ignored) = (difference("wide.mkv"), difference("wide.mkv --ignore-aspect"));
    assert!(applied < 5.0 && ignored > 20.0, "{applied} and {ignored} of 255");
    assert!(difference("square.mkv --resize bilinear") > 0.1, "the filter is another");
    let json = result(&sandbox, "wide.mkv --ignore-aspect --resize bilinear");
    assert_eq!(json["preprocess"]["pixel_aspect"], "ignored");
    assert!(
        json["preprocess"]["resize"].as_str().is_some_and(|words| words.starts_with("bilinear")),
        "{json}"
    );
    let json = result(&sandbox, "wide.mkv");
    assert_eq!(json["preprocess"]["pixel_aspect"], "applied");
    assert!(
        json["preprocess"]["resize"].as_str().is_some_and(|words| words.starts_with("triangle")),
        "{json}"
    );
}

#[test]
fn flow_of_strips_costs_no_more_than_of_videos() {
    let sandbox = Sandbox::with_weights();
    sandbox.ffmpeg("-f lavfi -i testsrc2=s=960x30:r=25 -frames:v 11 -c:v ffv1 strip.mkv");
    sandbox.ffmpeg("-f lavfi -i testsrc2=s=8x400:r=25 -frames:v 11 -c:v ffv1 high.mkv");
    sandbox.i3d("flow strip.mkv -o x.npy --device cpu").fails_with(
        2,
        "strip.mkv: the picture is 960x30, and flow of whole pictures is for those up to 8 times as long as wide",
        &["crop the video first"],
    );
    for input in ["strip.mkv", "high.mkv"] {
        let weights = "--rgb rgb.safetensors --flow flow.safetensors --preset fast --json -";
        let json = sandbox.classify(&format!("{input} {weights}")).ok().json();
        assert_eq!(json["video"]["sampled_frames"], 10, "{json}");
    }
}
