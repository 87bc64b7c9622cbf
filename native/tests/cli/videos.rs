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
        &["no video that ffmpeg can read", "moov atom not found", "give an intact"],
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
