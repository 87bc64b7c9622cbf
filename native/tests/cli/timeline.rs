//! Two streams of one video, timelines and long clips: the same numbers however the video is cut.

use serde_json::Value;

use crate::{Sandbox, assert_close, logits};

const WEIGHTS: &str = "--rgb rgb.safetensors --flow flow.safetensors";

fn result(sandbox: &Sandbox, arguments: &str) -> Value {
    sandbox.classify(&format!("--json - {arguments}")).ok().json()
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().expect("an array").iter().map(|v| v.as_f64().expect("a number")).collect()
}

#[test]
fn a_video_runs_through_both_streams() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 14);
    let both = result(&sandbox, &format!("a.mp4 {WEIGHTS}"));
    // The last frame has no next one to flow to, so neither stream sees it.
    assert_eq!(both["video"]["sampled_frames"], 13);
    let (rgb, flow) = (logits(&both, "rgb"), logits(&both, "flow"));
    let sum: Vec<f64> = rgb.iter().zip(&flow).map(|(r, f)| r + f).collect();
    assert_close(&numbers(&both["fused"]["logits"]), &sum, 1e-5);
    assert!(both["timings"]["flow_ms"].as_f64() > Some(0.0));
    assert_eq!(both["preprocess"]["flow"]["tvl1"]["warps"], 5);
    assert_eq!(both["preprocess"]["flow"]["quantize"], "none");

    let alone = result(&sandbox, "a.mp4 --rgb rgb.safetensors --frames 13");
    assert_close(&rgb, &logits(&alone, "rgb"), 1e-5);
    let alone = result(&sandbox, "a.mp4 --flow flow.safetensors");
    assert_close(&flow, &logits(&alone, "flow"), 1e-5);

    // The flow of the video, dumped and fed back.
    sandbox.i3d("dump a.mp4 --device cpu --flow flow.safetensors --endpoint input -o flow.npy").ok();
    let fed = result(&sandbox, "flow.npy --flow flow.safetensors");
    assert_close(&flow, &logits(&fed, "flow"), 1e-5);
    let plain = sandbox.read("flow.npy");
    for quantize in ["mediapipe", "denseflow", "video_features"] {
        let dump =
            "dump a.mp4 --device cpu --flow flow.safetensors --endpoint input -o rounded.npy --quantize";
        sandbox.i3d(&format!("{dump} {quantize}")).ok();
        let rounded = sandbox.read("rounded.npy");
        assert!(rounded.len() == plain.len() && rounded != plain, "{quantize} changes nothing");
    }
}

/// Both streams of a video must be what its inputs, dumped and fed back as arrays, give.
fn assert_as_arrays(sandbox: &Sandbox, arguments: &str, frames: usize, fed: &str) -> Value {
    let both = result(sandbox, &format!("{arguments} {WEIGHTS}"));
    assert_eq!(both["video"]["sampled_frames"], frames, "{arguments}");
    let video = arguments.split(' ').next().expect("a video");
    for stream in ["rgb", "flow"] {
        // Alone, RGB has one frame more.
        let dump = format!("dump {video} --device cpu --{stream} {stream}.safetensors --endpoint input");
        sandbox.i3d(&format!("{dump} --frames {frames} -o {stream}.npy")).ok();
    }
    let clips = result(sandbox, &format!("--rgb-clip rgb.npy --flow-clip flow.npy {WEIGHTS} {fed}"));
    for stream in ["rgb", "flow"] {
        assert_close(&logits(&both, stream), &logits(&clips, stream), 1e-5);
    }
    both
}

#[test]
fn networks_that_begin_before_the_flow_is_done_say_the_same() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 80);
    // Every remainder of the strides: padding depends on the length.
    for frames in [9, 10, 11, 12, 29, 64] {
        assert_as_arrays(&sandbox, &format!("a.mp4 --frames {frames}"), frames, "");
    }
    let all = assert_as_arrays(&sandbox, "a.mp4", 79, "");
    assert_eq!((&all["video"]["clip_frames"], &all["video"]["looped"]), (&79.into(), &false.into()));
    assert_as_arrays(&sandbox, "a.mp4 --threads 1", 79, "");
    let timings = &all["timings"];
    for stage in ["decode_ms", "flow_ms", "rgb_ms", "flow_network_ms"] {
        assert!(
            timings[stage].as_f64() > Some(0.0) && timings[stage].as_f64() < timings["total_ms"].as_f64()
        );
    }
}

#[test]
fn a_clip_longer_than_its_video_is_looped_in_both_streams() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 20);
    let looped = assert_as_arrays(&sandbox, "a.mp4 --frames 30", 19, "--frames 30");
    assert_eq!((&looped["video"]["clip_frames"], &looped["video"]["looped"]), (&30.into(), &true.into()));
    // Too short for a single logit.
    sandbox.video("b.mp4", 6);
    let both = result(&sandbox, &format!("b.mp4 {WEIGHTS}"));
    assert_eq!((&both["video"]["sampled_frames"], &both["video"]["clip_frames"]), (&5.into(), &64.into()));
    sandbox.i3d("dump b.mp4 --device cpu --flow flow.safetensors --endpoint input -o flow.npy").ok();
    let fed = result(&sandbox, "flow.npy --flow flow.safetensors");
    assert_close(&logits(&both, "flow"), &logits(&fed, "flow"), 1e-5);
}

#[test]
fn both_streams_of_a_video_with_fewer_frames_than_it_promises() {
    let sandbox = Sandbox::with_weights();
    sandbox.ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=25 -frames:v 100 -c:v mpeg4 -g 5 -movflags +faststart whole.mp4");
    let whole = sandbox.read("whole.mp4");
    sandbox.write("cut.mp4", &whole[..whole.len() / 2]);
    let run = sandbox.classify(&format!("cut.mp4 {WEIGHTS} --json -")).exits(1);
    let result = run.json();
    assert_eq!(result["video"]["frames"], 100, "what the container says");
    let sampled = result["video"]["sampled_frames"].as_u64().expect("a number");
    assert!((20..90).contains(&sampled), "{result}");
    assert_eq!(result["error"]["code"], "video");
    let same = sandbox.classify(&format!("whole.mp4 {WEIGHTS} --json - --frames {sampled}")).ok().json();
    for stream in ["rgb", "flow"] {
        assert_close(&logits(&result, stream), &logits(&same, stream), 1e-5);
    }
}

#[test]
fn a_video_of_one_picture_has_no_flow() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 1);
    let single = "a.mp4: the video has a single frame, and optical flow needs two; use --streams rgb";
    sandbox.classify("a.mp4 --flow flow.safetensors").fails(2, single);
    let looped = result(&sandbox, "a.mp4 --rgb rgb.safetensors");
    assert_eq!(looped["video"]["looped"], true);
}

#[test]
fn a_timeline_has_a_segment_per_window() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 40);
    let arguments = "a.mp4 --rgb rgb.safetensors --timeline --window 16 --step 8 --top-k 2";
    let files = "--csv a.csv --srt a.srt --vtt a.vtt";
    let timeline = result(&sandbox, &format!("{arguments} {files}"));
    let segments = timeline["segments"].as_array().expect("segments");
    let starts: Vec<f64> = segments.iter().map(|s| s["start_seconds"].as_f64().expect("a time")).collect();
    assert_close(&starts, &[0.0, 0.32, 0.64, 0.96], 1e-9);
    assert_eq!(segments[3]["end_seconds"], 1.6);

    // A window is what the clip of its frames is; the whole is the mean over windows.
    sandbox
        .i3d("dump a.mp4 --device cpu --rgb rgb.safetensors --endpoint input -o first.npy --frames 16")
        .ok();
    let first = result(&sandbox, "first.npy --rgb rgb.safetensors --top-k 2");
    assert_eq!(segments[0]["top"][0]["index"], first["top"][0]["index"]);
    let [window, clip] = [&segments[0], &first].map(|r| r["top"][0]["logit"].as_f64().expect("a logit"));
    assert!((window - clip).abs() < 1e-5, "{window} and {clip}");

    let text = |name: &str| String::from_utf8(sandbox.read(name)).expect("text");
    let csv = text("a.csv");
    assert_eq!(csv.lines().count(), 1 + 4 * 2);
    assert!(csv.starts_with(
        "input,start_seconds,end_seconds,rank,index,label,probability,logit\na.mp4,0.000,0.640,1,"
    ));
    let srt = text("a.srt");
    assert!(srt.starts_with("1\n00:00:00,000 --> 00:00:00,320\nclass "), "{srt}");
    assert_eq!(srt.matches("-->").count(), 4);
    assert!(text("a.vtt").starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:00.320\nclass "));

    let flow = result(&sandbox, &format!("a.mp4 {WEIGHTS} --timeline --window 16 --step 8"));
    assert_eq!(
        flow["segments"].as_array().map(Vec::len),
        Some(4),
        "39 frames: three windows and the one at the end"
    );
    assert!(flow["segments"][0]["top"][0]["flow_logit"].is_number());
}

#[test]
fn short_videos_and_arrays_have_timelines_too() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 12);
    let one = result(&sandbox, "a.mp4 --rgb rgb.safetensors --timeline --window 16 --step 16");
    assert_eq!(one["segments"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["segments"][0]["end_seconds"], 0.48);
    sandbox.i3d("dump a.mp4 --device cpu --rgb rgb.safetensors --endpoint input -o a.npy").ok();
    let array = result(&sandbox, "a.npy --rgb rgb.safetensors --timeline --window 16 --step 16");
    assert_eq!(array["segments"], one["segments"]);
}

#[test]
fn a_long_video_gives_the_logits_of_its_whole_clip() {
    let sandbox = Sandbox::with_weights();
    sandbox.video("a.mp4", 300);
    let long = result(&sandbox, "a.mp4 --rgb rgb.safetensors --frames all");
    assert_eq!((&long["video"]["clip_frames"], &long["video"]["looped"]), (&300.into(), &false.into()));
    sandbox.i3d("dump a.mp4 --device cpu --rgb rgb.safetensors --frames all --endpoint input -o a.npy").ok();
    let whole = result(&sandbox, "a.npy --rgb rgb.safetensors");
    assert_close(&logits(&long, "rgb"), &logits(&whole, "rgb"), 1e-5);
    let first = result(&sandbox, "a.mp4 --rgb rgb.safetensors --frames 280");
    assert_eq!(first["video"]["sampled_frames"], 280);
    let looped = result(&sandbox, "a.mp4 --rgb rgb.safetensors --frames 320");
    assert_eq!((&looped["video"]["clip_frames"], &looped["video"]["looped"]), (&320.into(), &true.into()));
}

#[test]
fn impossible_timelines_are_told_before_any_work() {
    let sandbox = Sandbox::with_weights();
    let on = |arguments: &str| sandbox.classify(&format!("none.mp4 --rgb rgb.safetensors {arguments}"));
    on("--timeline --step 0").fails(2, "--step 0 is out of range; give 1 to 64 frames");
    on("--timeline --window 16 --step 17").fails(2, "--step 17 is out of range; give 1 to 16 frames");
    on("--timeline --window 8").exits(2);
    on("--srt a.srt").exits(2);
    on("--timeline --csv missing/a.csv")
        .fails(2, "missing/a.csv: cannot be written, because its folder does not exist; create that first");
    let two = sandbox.classify("a.mp4 b.mp4 --rgb rgb.safetensors --timeline --srt a.srt");
    two.fails(2, "subtitles belong to one video; give one INPUT with --srt or --vtt");
}

#[test]
fn tiny_and_huge_pictures_run_through_both_streams() {
    let sandbox = Sandbox::with_weights();
    for size in ["16x16", "3840x2160", "35x161"] {
        sandbox.ffmpeg(&format!(
            "-f lavfi -i testsrc=size={size}:rate=25 -frames:v 10 -pix_fmt yuv420p -c:v ffv1 a.mkv"
        ));
        let both = result(&sandbox, &format!("a.mkv {WEIGHTS}"));
        assert_eq!(both["video"]["sampled_frames"], 9, "{size}");
        assert_eq!(both["video"]["width"].as_u64().map(|w| size.starts_with(&w.to_string())), Some(true));
    }
}
