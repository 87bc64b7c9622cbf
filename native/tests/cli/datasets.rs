//! What `eval` and `train` take for a video where files of several kinds bear its name.

use i3d::network::Stream;

use crate::Sandbox;
use crate::eval::{RUN, Scores, assert_score, colour, model, results, videos};
use crate::train::{SMALL, clips};

const SCORES: Scores<'static> =
    &[("blue", [0.0, 0.0, 1.0, 0.2]), ("green", [0.0, 1.0, 0.0, 0.1]), ("red", [1.0, 0.0, 0.0, 0.0])];

/// A video per class, and a list of them.
fn three() -> Sandbox {
    let sandbox = Sandbox::new();
    let row = |class: &str| format!("{class},{class}-3456789,3,13,val\n");
    let rows: String = ["blue", "green", "red"].map(row).concat();
    sandbox.write("val.csv", format!("label,youtube_id,time_start,time_end,split\n{rows}"));
    videos(
        &sandbox,
        &[
            ("videos/blue/blue-3456789_000003_000013.mp4", "blue"),
            ("videos/green/green-3456789_000003_000013.mp4", "lime"),
            ("videos/red/red-3456789_000003_000013.mp4", "red"),
        ],
    );
    sandbox.write("m.safetensors", model(Stream::Rgb, SCORES, true));
    sandbox
}

const GREEN: &str = "videos/green/green-3456789_000003_000013";
const EVAL: &str =
    "eval --dataset kinetics --data videos --annotations val.csv --split val --rgb m.safetensors -o";

/// A red picture, as JPEG or what the ending says.
fn picture(sandbox: &Sandbox, name: &str) {
    let path = sandbox.path(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
    image::RgbImage::from_pixel(48, 40, image::Rgb([255, 0, 0])).save(path).expect("it is written");
}

fn sound(sandbox: &Sandbox) -> Vec<u8> {
    if !sandbox.path("sound.m4a").exists() {
        sandbox.ffmpeg("-f lavfi -i sine=duration=1 -c:a aac sound.m4a");
    }
    sandbox.read("sound.m4a")
}

fn remove(sandbox: &Sandbox, name: &str) {
    let path = sandbox.path(name);
    let done = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    done.expect("it was there");
}

/// Puts something beside the green video: its ending, whether it is a failed video, and how it is made.
type Beside = (&'static str, bool, fn(&Sandbox, &str));

const BESIDE: &[Beside] = &[
    (".jpg", false, |sandbox, name| picture(sandbox, name)),
    (".bmp", false, |sandbox, name| picture(sandbox, name)),
    (".gif", false, |sandbox, name| sandbox.gif_of_red(name)),
    (".json", false, |sandbox, name| sandbox.write(name, r#"{"title": "a video"}"#)),
    (".csv", false, |sandbox, name| sandbox.write(name, "time,what\n0.5,Grün\n")),
    (".npy", false, |sandbox, name| sandbox.write(name, crate::fixtures::npy(9, 3))),
    (".m4a", false, |sandbox, name| sandbox.write(name, sound(sandbox))),
    (".dat", false, |sandbox, name| sandbox.write(name, [7, 0, 200, 1, 3, 0, 0, 9].repeat(90))),
    (".avi", true, |sandbox, name| sandbox.write(name, "")),
    (".flv", true, |sandbox, name| sandbox.write(name, "<html>404 Not Found</html>")),
    (".mkv", true, |sandbox, name| sandbox.write(name, b"\x1a\x45\xdf\xa3 and no more")),
    // Sound in a container that could hold pictures, under the name of a video.
    (".m4v", true, |sandbox, name| {
        sandbox.write("sound.mkv", "");
        sandbox.ffmpeg("-f lavfi -i sine=duration=1 -c:a aac sound.mkv");
        sandbox.write(name, sandbox.read("sound.mkv"));
    }),
    ("", false, |sandbox, name| std::fs::create_dir(sandbox.path(name)).expect("it is made")),
    ("", false, |sandbox, name| {
        for frame in 1..=12 {
            picture(sandbox, &format!("{name}/img_{frame:05}.png"));
        }
    }),
];

impl Sandbox {
    fn gif_of_red(&self, name: &str) {
        let file = std::fs::File::create(self.path(name)).expect("it is made");
        let mut encoder = image::codecs::gif::GifEncoder::new(file);
        for _ in 0..12 {
            let red = image::RgbaImage::from_pixel(48, 40, image::Rgba([255, 0, 0, 255]));
            encoder.encode_frame(image::Frame::new(red)).expect("it is written");
        }
    }
}

#[test]
fn eval_takes_the_video_whatever_else_bears_its_name() {
    let sandbox = three();
    sandbox.i3d(&format!("{EVAL} want {RUN}")).ok();
    let want = sandbox.read("want/predictions.jsonl");
    assert_score(&results(&sandbox, "want")["splits"][0]["streams"]["rgb"], [3.0, 1.0, -1.0, 1.0]);
    for (index, (ending, failed, make)) in BESIDE.iter().enumerate() {
        let name = format!("{GREEN}{ending}");
        make(&sandbox, &name);
        let run = sandbox.i3d(&format!("{EVAL} {index} {RUN}")).ok();
        assert!(sandbox.read(&format!("{index}/predictions.jsonl")) == want, "{name}");
        let said = run.stderr.contains(&format!("{name}: "));
        assert_eq!(said, *failed, "{run:?}");
        assert_eq!(run.stderr.contains(&format!("; {GREEN}.mp4 is taken in its place")), *failed, "{run:?}");
        assert!(run.errors().is_empty(), "{run:?}");
        remove(&sandbox, &name);
    }
}

#[test]
fn eval_goes_by_content_and_not_by_the_ending() {
    let sandbox = three();
    let video = sandbox.read(&format!("{GREEN}.mp4"));
    sandbox.write(&format!("{GREEN}.json"), &video);
    picture(&sandbox, "thumbnail.jpg");
    sandbox.write(&format!("{GREEN}.mp4"), sandbox.read("thumbnail.jpg"));
    sandbox.i3d(&format!("{EVAL} out {RUN}")).ok();
    assert_score(&results(&sandbox, "out")["splits"][0]["streams"]["rgb"], [3.0, 1.0, -1.0, 1.0]);
    // Frames are a video where no file is one; an animation comes before them.
    remove(&sandbox, &format!("{GREEN}.json"));
    image::RgbImage::from_pixel(48, 40, image::Rgb([0, 255, 0]))
        .save(sandbox.path("1.png"))
        .expect("written");
    for frame in 1..=12 {
        sandbox.write(&format!("{GREEN}/{frame}.png"), sandbox.read("1.png"));
    }
    sandbox.i3d(&format!("{EVAL} frames {RUN}")).ok();
    assert_score(&results(&sandbox, "frames")["splits"][0]["streams"]["rgb"], [3.0, 1.0, -1.0, 1.0]);
    sandbox.gif_of_red(&format!("{GREEN}.gif"));
    sandbox.i3d(&format!("{EVAL} gif {RUN}")).ok();
    assert_score(&results(&sandbox, "gif")["splits"][0]["streams"]["rgb"], [3.0, 2.0 / 3.0, -1.0, 2.0 / 3.0]);
}

#[test]
fn a_video_that_vanished_is_missing_whatever_is_left_of_it() {
    let sandbox = three();
    remove(&sandbox, &format!("{GREEN}.mp4"));
    picture(&sandbox, &format!("{GREEN}.jpg"));
    sandbox.write(&format!("{GREEN}.json"), "{}");
    sandbox.write(&format!("{GREEN}.m4a"), sound(&sandbox));
    let run = sandbox.i3d(&format!("{EVAL} out {RUN}")).ok();
    assert!(run.stderr.contains("1 of 3 videos of split val are not there"), "{run:?}");
    let found = results(&sandbox, "out")["splits"][0].clone();
    assert_eq!(found["missing"], serde_json::json!(["green/green-3456789_000003_000013"]));
    assert_eq!(found["skipped"], serde_json::json!([]));
    // What is damaged is there, and no thumbnail hides it.
    sandbox.write(&format!("{GREEN}.mp4"), "");
    let run = sandbox.i3d(&format!("{EVAL} empty {RUN}")).exits(1);
    assert!(run.errors()[0].starts_with(&format!("{GREEN}.mp4: the file is empty")), "{run:?}");
    // A data set of pictures is one all the same.
    for class in ["blue", "red"] {
        remove(&sandbox, &format!("videos/{class}/{class}-3456789_000003_000013.mp4"));
        picture(&sandbox, &format!("videos/{class}/{class}-3456789_000003_000013.png"));
    }
    remove(&sandbox, &format!("{GREEN}.mp4"));
    let run = sandbox.i3d(&format!("{EVAL} pictures {RUN}")).ok();
    assert!(run.stderr.contains("videos: split val has no videos but 3 pictures, "), "{run:?}");
    let rgb = results(&sandbox, "pictures")["splits"][0]["streams"]["rgb"].clone();
    assert_score(&rgb, [3.0, 1.0 / 3.0, -1.0, 1.0 / 3.0]);
}

#[test]
fn damage_that_shows_late_gives_way_too() {
    let sandbox = three();
    let source = "-f lavfi -i color=c=lime:size=48x40:rate=25 -frames:v 100 -c:v mpeg4 -g 10";
    sandbox.ffmpeg(&format!("{source} whole.mkv"));
    sandbox.ffmpeg(&format!("{source} -movflags +faststart cut.mp4"));
    let cut = sandbox.read("cut.mp4");
    sandbox.write(&format!("{GREEN}.mp4"), &cut[..cut.len() * 3 / 4]);
    sandbox.write(&format!("{GREEN}.webm"), sandbox.read("whole.mkv"));
    let run = sandbox.i3d(&format!("{EVAL} out {}", RUN.replace("16", "90"))).ok();
    assert!(run.stderr.contains(&format!("{GREEN}.mp4: the video breaks after ")), "{run:?}");
    assert!(run.stderr.contains(&format!("; {GREEN}.webm is taken in its place")), "{run:?}");
    assert_score(&results(&sandbox, "out")["splits"][0]["streams"]["rgb"], [3.0, 1.0, -1.0, 1.0]);
}

#[test]
fn what_lies_beside_the_videos_of_a_class_is_none_of_them() {
    let sandbox = three();
    let eval = |out: &str| {
        let run =
            sandbox.i3d(&format!("eval --dataset folder --data videos --rgb m.safetensors -o {out} {RUN}"));
        let rgb = results(&sandbox, out)["splits"][0]["streams"]["rgb"].clone();
        (run, rgb)
    };
    for (index, (ending, failed, make)) in BESIDE.iter().enumerate() {
        let name = format!("{GREEN}{ending}");
        make(&sandbox, &name);
        let (run, rgb) = eval(&format!("out-{index}"));
        let run = run.ok();
        assert_score(&rgb, [3.0, 1.0, -1.0, 1.0]);
        let note = if *failed { "is taken in its place" } else { "is left out, because it " };
        assert!(run.stderr.contains(&name) && run.stderr.contains(note), "{run:?}");
        remove(&sandbox, &name);
    }
    // Other names, as programs give them to thumbnails, subtitles and notes.
    picture(&sandbox, "videos/green/cover.jpg");
    sandbox.write("videos/green/green-3456789_000003_000013.info.json", "{}");
    sandbox.write("videos/red/README", "Three videos.\n");
    let (run, rgb) = eval("more");
    let run = run.ok();
    assert_score(&rgb, [3.0, 1.0, -1.0, 1.0]);
    assert!(run.stderr.contains("videos: 3 files or folders are left out, because "), "{run:?}");
    // Two videos of one name are two videos.
    sandbox.write(&format!("{GREEN}.mkv"), colour(&sandbox, "lime"));
    assert_score(&eval("two").1, [4.0, 1.0, -1.0, 1.0]);
}

#[test]
fn training_sees_the_videos_alone() {
    let sandbox = Sandbox::new();
    clips(&sandbox, 10);
    let train = |data: &str, folder: &str| {
        let run = sandbox.i3d(&format!("train {data} -o {folder} --steps 2 {SMALL}")).ok();
        assert_eq!(sandbox.read(&format!("{folder}/skipped.txt")), b"", "{run:?}");
        sandbox.read(&format!("{folder}/model.safetensors"))
    };
    let want = train("clips", "want");
    for class in ["rising", "falling"] {
        for index in 0..10 {
            let name = format!("clips/{class}/{index:02}");
            picture(&sandbox, &format!("{name}.jpg"));
            sandbox.write(&format!("{name}.json"), "{}");
            sandbox.write(&format!("{name}.m4a"), sound(&sandbox));
            sandbox.write(&format!("{name}.avi"), "");
            picture(&sandbox, &format!("{name}/0.png"));
        }
    }
    assert!(train("clips", "got") == want, "the same clips in the same order, the same ones held out");
    // A picture is a video of one frame, as long as there are no others.
    for class in ["a", "b"] {
        for index in 0..4 {
            picture(&sandbox, &format!("pictures/{class}/{index}.png"));
        }
    }
    train("pictures", "stills");
    std::fs::create_dir(sandbox.path("pictures/a/empty")).expect("it is made");
    let run = sandbox.i3d(&format!("train pictures -o less --steps 2 {SMALL}")).exits(1);
    assert!(run.stderr.contains("1 of 9 clips were left out"), "{run:?}");
}

/// Frames and flow in one folder, as programs for two-stream networks write them.
#[test]
fn frames_and_flow_in_one_folder_are_one_video() {
    let sandbox = three();
    for (class, color) in [("blue", [0, 0, 255]), ("green", [0, 255, 0]), ("red", [255, 0, 0])] {
        remove(&sandbox, &format!("videos/{class}/{class}-3456789_000003_000013.mp4"));
        for frame in 1..=12 {
            let folder = format!("videos/{class}/{class}-3456789_000003_000013");
            picture(&sandbox, &format!("{folder}/flow_x_{frame:05}.png"));
            picture(&sandbox, &format!("{folder}/flow_y_{frame:05}.png"));
            let path = sandbox.path(&format!("{folder}/img_{frame:05}.png"));
            image::RgbImage::from_pixel(48, 40, image::Rgb(color)).save(path).expect("it is written");
        }
    }
    for (out, run) in
        [("listed", EVAL), ("folder", "eval --dataset folder --data videos --rgb m.safetensors -o")]
    {
        sandbox.i3d(&format!("{run} {out} {RUN}")).ok();
        let rgb = results(&sandbox, out)["splits"][0]["streams"]["rgb"].clone();
        assert_score(&rgb, [3.0, 1.0, -1.0, 1.0]);
    }
    let train = |folder: &str| {
        sandbox.i3d(&format!("train videos -o {folder} --steps 2 {SMALL}")).ok();
        sandbox.read(&format!("{folder}/model.safetensors"))
    };
    let with = train("with");
    for class in ["blue", "green", "red"] {
        for frame in 1..=12 {
            for series in ["flow_x", "flow_y"] {
                remove(
                    &sandbox,
                    &format!("videos/{class}/{class}-3456789_000003_000013/{series}_{frame:05}.png"),
                );
            }
        }
    }
    assert!(train("without") == with, "flow is no clip, and no frame of one");
}
