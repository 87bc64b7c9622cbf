//! `eval`: accuracies that can be told by hand, on miniatures of the data sets in the layout and with the lists that they have.

use i3d::network::Stream;
use i3d::plan::Precision;
use serde_json::Value;

use crate::fixtures::{checkpoint, network};
use crate::{Sandbox, logits};

/// What a network says of each class for red, green and blue, and whatever is seen. A flow network, to which clips of one
/// colour show nothing, says the last.
pub type Scores<'a> = &'a [(&'a str, [f32; 4])];

/// A network whose first three channels pass through to the features: how red, green and blue the clip is.
pub fn model(stream: Stream, scores: Scores<'_>, named: bool) -> Vec<u8> {
    let classes = scores.len();
    let network = network(stream, classes);
    let mut checkpoint = checkpoint(stream, classes);
    for (name, tensor) in &mut checkpoint.tensors {
        tensor.data.fill(if name.ends_with("moving_variance") { 1.0 } else { 0.0 });
    }
    for unit in network.units() {
        let [kt, kh, kw] = unit.kernel;
        let middle = ((kt / 2) * kh + kh / 2) * kw + kw / 2;
        let tensor = checkpoint.tensors.get_mut(&format!("{}/conv_3d/w", unit.name)).expect("a kernel");
        for channel in 0..unit.in_channels.min(3) {
            let at = (middle * unit.in_channels + channel) * unit.out_channels;
            match unit.batch_norm() {
                true => tensor.data[at + channel] = 1.0,
                false => {
                    let row = &mut tensor.data[at..at + classes];
                    row.iter_mut().zip(scores).for_each(|(w, (_, score))| *w = score[channel]);
                }
            }
        }
        if !unit.batch_norm() {
            let bias = checkpoint.tensors.get_mut(&format!("{}/conv_3d/b", unit.name)).expect("a bias");
            bias.data.iter_mut().zip(scores).for_each(|(bias, (_, score))| *bias = score[3]);
        }
    }
    let labels: Vec<String> = scores.iter().map(|(class, _)| class.to_string()).collect();
    checkpoint.to_safetensors(named.then_some(&labels), Precision::F32).expect("the checkpoint is whole")
}

pub const RUN: &str = "--frames 16 --threads 2 --device cpu";

/// A clip of one colour.
pub fn colour(sandbox: &Sandbox, colour: &str) -> Vec<u8> {
    let name = format!("{colour}.avi");
    if !sandbox.path(&name).exists() {
        let source = format!("-f lavfi -i color=c={colour}:size=48x40:rate=25");
        sandbox.ffmpeg(&format!("{source} -frames:v 10 -c:v mpeg4 {name}"));
    }
    sandbox.read(&name)
}

/// Clips under these names.
pub fn videos(sandbox: &Sandbox, videos: &[(&str, &str)]) {
    for (name, shown) in videos {
        sandbox.write(name, colour(sandbox, shown));
    }
}

pub fn results(sandbox: &Sandbox, folder: &str) -> Value {
    serde_json::from_slice(&sandbox.read(&format!("{folder}/results.json"))).expect("JSON")
}

/// Count, top 1, top 5 and mean of the classes; no top 5 is -1.
#[track_caller]
pub fn assert_score(score: &Value, want: [f64; 4]) {
    let fields = ["count", "top1", "top5", "mean_class"];
    let found = fields.map(|field| score[field].as_f64().unwrap_or(-1.0));
    let near = found.iter().zip(want).all(|(found, want)| (found - want).abs() < 1e-12);
    assert!(near, "{found:?}, not {want:?}: {score:#}");
}

/// UCF-101 with six classes. The copies of its lists differ as they do in the world.
fn ucf101() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "lists/classInd.txt",
        "1 ApplyEyeMakeup\r\n2 Archery\r\n3 Hammering\r\n4 HammerThrow\r\n5 HandstandPushups\r\n6 YoYo\r\n",
    );
    sandbox.write(
        "lists/testlist01.txt",
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\nApplyEyeMakeup/v_ApplyEyeMakeup_g01_c02.avi\r\n\
         ApplyEyeMakeup/v_ApplyEyeMakeup_g02_c01.avi\r\nArchery/v_Archery_g01_c01.avi\r\n\
         Hammering/v_Hammering_g01_c01.avi\r\nHammerThrow/v_HammerThrow_g01_c01.avi\r\n\
         HandStandPushups/v_HandStandPushups_g01_c01.avi\r\nYoYo/v_YoYo_g01_c01.avi\r\n",
    );
    sandbox.write(
        "lists/testlist02.txt",
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi 1\nYoYo/v_YoYo_g01_c01.avi 6\n",
    );
    sandbox.write("lists/testlist03.txt", "HammerThrow/v_HammerThrow_g01_c01.avi 4\r\n");
    videos(
        &sandbox,
        &[
            ("videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", "red"),
            ("videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c02.avi", "red"),
            ("videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g02_c01.avi", "lime"),
            ("videos/Archery/v_Archery_g01_c01.avi", "red"),
            ("videos/Hammering/v_Hammering_g01_c01.avi", "blue"),
            ("videos/v_HammerThrow_g01_c01.avi", "lime"),
            ("videos/HandstandPushups/v_HandStandPushups_g01_c01.avi", "blue"),
            ("videos/YoYo/v_YoYo_g01_c01.avi", "red"),
        ],
    );
    // The model's order is that of bytes, and its spelling the other one.
    let rgb: Scores<'_> = &[
        ("ApplyEyeMakeup", [3.0, 0.0, 0.0, 0.0]),
        ("Archery", [2.0, 0.0, 0.0, 0.0]),
        ("HammerThrow", [0.0, 3.0, 0.0, 0.0]),
        ("Hammering", [0.0, 0.0, 0.0, 0.0]),
        ("HandStandPushups", [0.0, 0.0, 3.0, 0.0]),
        ("YoYo", [0.0, 0.0, 0.0, -1.0]),
    ];
    sandbox.write("rgb.safetensors", model(Stream::Rgb, rgb, true));
    // Without names its order is that of classInd.txt.
    let always = |class: usize| -> Vec<u8> {
        let score = |other: usize| ("", [0.0, 0.0, 0.0, if other == class { 2.0 } else { 0.0 }]);
        model(Stream::Flow, &(0..6).map(score).collect::<Vec<_>>(), false)
    };
    for (split, class) in [(1, 1), (2, 5), (3, 3)] {
        sandbox.write(&format!("flow-{split}.safetensors"), always(class));
    }
    sandbox
}

const UCF101: &str = "eval --dataset ucf101 --data videos --annotations lists";

#[test]
fn ucf101_gives_the_accuracies_of_a_count_by_hand() {
    let sandbox = ucf101();
    let run = sandbox
        .i3d(&format!(
            "{UCF101} --split all --rgb rgb.safetensors --flow flow-{{split}}.safetensors -o out {RUN}"
        ))
        .ok();
    let results = results(&sandbox, "out");
    let of = |split: usize, stream: &str| results["splits"][split]["streams"][stream].clone();
    assert_score(&of(0, "rgb"), [8.0, 0.5, 7.0 / 8.0, (2.0 / 3.0 + 1.0 + 1.0) / 6.0]);
    assert_score(&of(0, "flow"), [8.0, 1.0 / 8.0, 7.0 / 8.0, 1.0 / 6.0]);
    // Two for archery is more than what tells make-up from it.
    assert_score(&of(0, "fused"), [8.0, 3.0 / 8.0, 7.0 / 8.0, 3.0 / 6.0]);
    assert_score(&of(1, "rgb"), [2.0, 0.5, 0.5, 0.5]);
    assert_score(&of(1, "flow"), [2.0, 0.5, 1.0, 0.5]);
    assert_score(&of(2, "fused"), [1.0, 1.0, 1.0, 1.0]);
    let mean = &results["mean"]["rgb"];
    assert_eq!(mean["top1"], (0.5 + 0.5 + 1.0) / 3.0);
    assert_eq!(mean["top5"], (7.0 / 8.0 + 0.5 + 1.0) / 3.0);
    let classes = of(0, "rgb")["classes"].clone();
    assert_eq!(classes[0]["class"], "ApplyEyeMakeup");
    assert_eq!((&classes[0]["count"], &classes[0]["right"]), (&3.into(), &2.into()));
    assert_eq!(classes[4]["accuracy"], 1.0, "spelt in two ways: {classes}");
    let text = |name: &str| String::from_utf8(sandbox.read(&format!("out/{name}"))).expect("text");
    assert_eq!(
        text("confusion-1-rgb.csv"),
        "class,ApplyEyeMakeup,Archery,Hammering,HammerThrow,HandstandPushups,YoYo\nApplyEyeMakeup,2,0,0,1,0,0\n\
         Archery,1,0,0,0,0,0\nHammering,0,0,0,0,1,0\nHammerThrow,0,0,0,1,0,0\nHandstandPushups,0,0,0,0,1,0\n\
         YoYo,1,0,0,0,0,0\n"
    );
    let svg = text("confusion-1-fused.svg");
    assert!(svg.starts_with("<svg") && svg.contains("split 1, fused: 37.5 % of 8 videos right"), "{svg}");
    assert!(
        run.stdout.contains("1       rgb           8    50.0 %    87.5 %        44.4 %\n"),
        "{}",
        run.stdout
    );
    assert_eq!(run.stdout.lines().count(), 1 + 3 * 3 + 3, "{}", run.stdout);
    let lines = text("predictions.jsonl");
    assert_eq!(lines.lines().count(), 1 + 8 + 2 + 1);
    let first: Value = serde_json::from_str(lines.lines().nth(1).expect("a prediction")).expect("JSON");
    assert_eq!(first["path"], "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi");
    assert_eq!((&first["label"], &first["best"]), (&"ApplyEyeMakeup".into(), &"Archery".into()));
    // A run that is there is not begun anew by accident.
    sandbox
        .i3d(&format!("{UCF101} --split all --rgb rgb.safetensors -o out {RUN}"))
        .fails(2, "out: there is an evaluation already; go on with --resume, or give another folder");
}

#[test]
fn hmdb51_is_read_whatever_its_videos_are_called() {
    let sandbox = Sandbox::new();
    let odd = "#20_Rhythm_(Fun!)_&_more_chew_h_nm_np1_fr_goo_0";
    for split in 1..=3 {
        let codes = if split == 1 { [2, 2, 1] } else { [1, 0, 2] };
        for class in ["chew", "climb", "climb_stairs"] {
            let list =
                format!("{odd}.avi {} \nb[1];{class}.avi {} \nc@x.avi {} \n", codes[0], codes[1], codes[2]);
            sandbox.write(&format!("lists/{class}_test_split{split}.txt"), list);
        }
    }
    for (class, first, second, third) in [
        ("chew", "red", "lime", "red"),
        ("climb", "lime", "lime", "blue"),
        ("climb_stairs", "red", "red", "blue"),
    ] {
        let name = |name: &str| format!("videos/{class}/{name}.avi");
        videos(
            &sandbox,
            &[(&name(odd), first), (&name(&format!("b[1];{class}")), second), (&name("c@x"), third)],
        );
    }
    let scores: Scores<'_> = &[
        ("climb stairs", [0.0, 0.0, 1.0, 0.0]),
        ("Chew", [1.0, 0.0, 0.0, 0.0]),
        ("climb", [0.0, 1.0, 0.0, 0.0]),
    ];
    sandbox.write("m.safetensors", model(Stream::Rgb, scores, true));
    let eval = "eval --dataset hmdb51 --data videos --annotations lists --rgb m.safetensors";
    sandbox.i3d(&format!("{eval} --split 1 -o one {RUN}")).ok();
    let one = results(&sandbox, "one");
    assert_score(&one["splits"][0]["streams"]["rgb"], [6.0, 0.5, -1.0, 0.5]);
    assert!(one["mean"].is_null() && one["splits"][0]["streams"]["fused"].is_null(), "{one}");
    sandbox.i3d(&format!("{eval} --split all -o all {RUN}")).ok();
    let all = results(&sandbox, "all");
    assert_score(&all["splits"][2]["streams"]["rgb"], [3.0, 2.0 / 3.0, -1.0, 2.0 / 3.0]);
    assert_eq!(all["mean"]["rgb"]["top1"], (0.5 + 2.0 / 3.0 + 2.0 / 3.0) / 3.0);
    // An official list is complete, and so should the videos be.
    std::fs::remove_file(sandbox.path("videos/climb/c@x.avi")).expect("it is there");
    sandbox.i3d(&format!("{eval} --split 2 -o less {RUN}")).exits(1);
    let less = results(&sandbox, "less");
    assert_eq!(less["splits"][0]["missing"], serde_json::json!(["climb/c@x.avi"]));
    assert_score(&less["splits"][0]["streams"]["rgb"], [2.0, 1.0, -1.0, 1.0]);
}

#[test]
fn kinetics_counts_the_videos_that_vanished() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "val.csv",
        "label,youtube_id,time_start,time_end,split\n\"massaging person's head\",-abcdefghi1,1,11,val\n\
         \"massaging person's head\",vanished_01,20,30,val\narm wrestling,ABcdefghij2,100,110,val\n\
         arm wrestling,abcdefghij2,0,10,val\narm wrestling,trained,0,10,train\nzumba,abcdefghij3,3,13,val\n",
    );
    videos(
        &sandbox,
        &[
            ("videos/massaging_person's_head/-abcdefghi1_000001_000011.mp4", "red"),
            ("videos/arm wrestling/ABcdefghij2_000100_000110.mp4", "lime"),
            ("videos/abcdefghij2_000000_000010.mkv", "blue"),
            ("videos/zumba/abcdefghij3_000003_000013.webm", "blue"),
        ],
    );
    let scores: Scores<'_> = &[
        ("zumba", [0.0, 0.0, 1.0, 0.0]),
        ("arm wrestling", [0.0, 1.0, 0.0, 0.0]),
        ("massaging persons head", [1.0, 0.0, 0.0, 0.0]),
    ];
    sandbox.write("m.safetensors", model(Stream::Rgb, scores, true));
    let eval = "eval --dataset kinetics --data videos --rgb m.safetensors";
    let run = sandbox.i3d(&format!("{eval} --annotations val.csv --split val -o out {RUN}")).ok();
    let vanished = "massaging person's head/vanished_01_000020_000030";
    let line = format!("1 of 5 videos of split val are not there, such as {vanished}; see results.json\n");
    assert!(run.stderr.contains(&line), "{run:?}");
    let results = results(&sandbox, "out");
    assert_eq!(results["splits"][0]["missing"], serde_json::json!([vanished]));
    assert_score(&results["splits"][0]["streams"]["rgb"], [4.0, 0.75, -1.0, 2.5 / 3.0]);
    sandbox.write("lists/test.csv", "youtube_id,time_start,time_end,split\nabcdefghij3,3,13,test\n");
    sandbox.i3d(&format!("{eval} --annotations lists --split test -o x {RUN}")).fails_with(
        2,
        "lists/test.csv: ",
        &["no column label", "nothing to compare with"],
    );
    assert!(!sandbox.path("x").exists(), "nothing is begun");
}

#[test]
fn predictions_are_those_of_classify() {
    let sandbox = Sandbox::new();
    crate::train::clips(&sandbox, 2);
    for stream in [Stream::Rgb, Stream::Flow] {
        sandbox.write(&format!("{stream}.safetensors"), crate::fixtures::safetensors(stream, 2));
    }
    let models = "--rgb rgb.safetensors --flow flow.safetensors";
    // Clips that were kept are clips that are decoded.
    for (folder, kept) in [("first", "--cache-mb 0"), ("second", "--cache-mb 9"), ("third", "--cache-mb 9")] {
        sandbox.i3d(&format!("eval --dataset folder --data clips {models} -o {folder} {RUN} {kept}")).ok();
        let lines = sandbox.read(&format!("{folder}/predictions.jsonl"));
        assert!(lines == sandbox.read("first/predictions.jsonl"), "{folder}");
        assert_eq!(sandbox.path("cache/i3d/footage").exists(), folder != "first");
    }
    let lines = String::from_utf8(sandbox.read("first/predictions.jsonl")).expect("text");
    for line in lines.lines().skip(1) {
        let prediction: Value = serde_json::from_str(line).expect("JSON");
        let path = format!("clips/{}", prediction["path"].as_str().expect("a path"));
        for stream in ["rgb", "flow"] {
            let classified = sandbox
                .classify(&format!("{path} --{stream} {stream}.safetensors --frames 16 --json -"))
                .ok()
                .json();
            let said = prediction["logits"][stream].as_array().expect("logits");
            let said: Vec<f64> = said.iter().filter_map(Value::as_f64).collect();
            // Colours are kept in 8 bits, and flow in 16.
            crate::assert_close(&said, &logits(&classified, stream), 0.02);
        }
    }
}

/// A folder of so many clips of three classes, and a model that knows them.
fn many(count: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    for index in 0..count {
        let class = ["blue", "green", "red"][index % 3];
        // Every seventh clip shows something else.
        let shown = if index % 7 == 0 { "red" } else { ["blue", "lime", "red"][index % 3] };
        videos(&sandbox, &[(&format!("videos/{class}/{index:03}.avi"), shown)]);
    }
    let scores: Scores<'_> =
        &[("red", [1.0, 0.0, 0.0, 0.0]), ("green", [0.0, 1.0, 0.0, 0.1]), ("blue", [0.0, 0.0, 1.0, 0.2])];
    sandbox.write("m.safetensors", model(Stream::Rgb, scores, true));
    sandbox
}

const FOLDER: &str = "eval --dataset folder --data videos --rgb m.safetensors";

#[cfg(unix)]
#[test]
fn a_killed_evaluation_goes_on_behind_its_last_line() {
    let sandbox = many(24);
    let whole = sandbox.i3d(&format!("{FOLDER} -o whole {RUN}")).ok();
    let run = format!("{FOLDER} -o run --resume {RUN}");
    let path = sandbox.path("run/predictions.jsonl");
    let lines = || std::fs::read_to_string(&path).map_or(0, |text| text.lines().count());
    for wanted in [4, 11] {
        let killed = crate::killed::kill_when(&sandbox, &run, || lines() >= wanted);
        assert!(killed, "it ended before it was killed");
    }
    // As if it had been killed in the middle of a line.
    let mut text = sandbox.read("run/predictions.jsonl");
    text.extend(br#"{"split":"all","path":"red/023.avi","label":"red","best":"gre"#);
    sandbox.write("run/predictions.jsonl", text);
    let resumed = sandbox.i3d(&run).ok();
    assert!(resumed.stderr.contains("going on after "), "{resumed:?}");
    for file in ["predictions.jsonl", "results.json", "confusion-all-rgb.csv", "confusion-all-rgb.svg"] {
        assert!(sandbox.read(&format!("run/{file}")) == sandbox.read(&format!("whole/{file}")), "{file}");
    }
    assert_eq!(resumed.stdout, whole.stdout);
    sandbox.i3d(&format!("{FOLDER} -o run --resume {}", RUN.replace("16", "17"))).fails(
        2,
        "run/predictions.jsonl: it was made with other settings: frames was 16 and is 17 now; give --resume with the same \
         settings, or another folder",
    );
    let text = String::from_utf8(sandbox.read("run/predictions.jsonl")).expect("text");
    sandbox.write("run/predictions.jsonl", text.replacen("\"best\"", "\"bust\"", 1));
    sandbox.i3d(&run).fails_with(
        2,
        "run/predictions.jsonl, line 2: ",
        &["it is no prediction", "delete the line"],
    );
}

#[test]
fn a_broken_video_costs_itself_alone() {
    let sandbox = many(6);
    sandbox.write("videos/red/broken.avi", "RIFF, but no more");
    let run = sandbox.i3d(&format!("{FOLDER} -o out {RUN}")).exits(1);
    let errors = run.errors();
    assert!(matches!(errors[..], [error] if error.starts_with("videos/red/broken.avi: ")), "{run:?}");
    let results = results(&sandbox, "out");
    let skipped = results["splits"][0]["skipped"].as_array().expect("a list");
    assert_eq!((skipped.len(), &skipped[0]["path"]), (1, &"red/broken.avi".into()));
    assert_eq!(skipped[0]["problem"], errors[0]);
    // Of six videos the first shows another class than its own.
    assert_score(&results["splits"][0]["streams"]["rgb"], [6.0, 5.0 / 6.0, -1.0, 2.5 / 3.0]);
    // Going on is a second chance.
    sandbox.write("videos/red/broken.avi", colour(&sandbox, "red"));
    sandbox.i3d(&format!("{FOLDER} -o out --resume {RUN}")).ok();
    assert_eq!(self::results(&sandbox, "out")["splits"][0]["streams"]["rgb"]["count"], 7);
}

#[test]
fn what_makes_no_sense_is_told() {
    let sandbox = ucf101();
    let eval = |more: &str| sandbox.i3d(&format!("{UCF101} -o out {RUN} {more}"));
    let rgb = "--rgb rgb.safetensors";
    eval("--split 1").fails(2, "no model; give --rgb MODEL, --flow MODEL, the two of them, or --both MODEL");
    eval(rgb).fails(2, "which split is missing; give --split 1, 2, 3 or all");
    eval(&format!("{rgb} --split 4")).fails(2, "there is no split \"4\"; give --split 1, 2, 3 or all");
    let with = |arguments: &str| sandbox.i3d(&format!("eval -o out {rgb} {RUN} {arguments}"));
    with("--dataset ucf101 --data nowhere --annotations lists --split 1")
        .fails(2, "nowhere: this is no folder; give the folder of the videos as --data");
    with("--dataset ucf101 --data videos --split 1").fails(
        2,
        "the lists are missing; give the folder with classInd.txt and testlist01.txt as --annotations",
    );
    with("--dataset ucf101 --data videos --annotations videos --split 1")
        .fails(2, "videos/classInd.txt: there is no such file or folder; check the name");
    with("--dataset hmdb51 --data videos --annotations lists --split 1").fails_with(
        2,
        "lists: ",
        &["it has no file like brush_hair_test_split1.txt"],
    );
    with("--dataset folder --data videos --split 1")
        .fails(2, "--dataset folder has no lists and no splits; leave --split out");
    with("--dataset folder --data videos").fails_with(
        2,
        "rgb.safetensors: ",
        &["its classes are not those of folder: 6 found, 5 expected", "give a model"],
    );
    std::fs::create_dir(sandbox.path("none")).expect("a folder");
    with("--dataset ucf101 --data none --annotations lists --split 1").fails_with(
        2,
        "none: ",
        &["none of the 8 videos of split 1 is there", "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"],
    );
    with("--dataset kinetics --data videos --annotations none --split val")
        .fails(2, "none/val.csv: there is no such file or folder; check the name");
    with("--dataset folder --data none").fails_with(2, "none: ", &["it has no folders"]);
    sandbox.write("lists/testlist02.txt", "\r\n");
    eval(&format!("{rgb} --split 2"))
        .fails(2, "lists/testlist02.txt: the list is empty; give the list as the data set has it");
    sandbox.write("lists/testlist03.txt", "YoYo/v_YoYo_g01_c01.avi\r\nBowling/v_Bowling_g01_c01.avi\r\n");
    eval(&format!("{rgb} --split 3")).fails(
        2,
        "lists/testlist03.txt, line 2: the class \"Bowling\" is not in classInd.txt; correct one of the two files",
    );
    eval("--split 1 --rgb model-{split}.safetensors")
        .fails(2, "model-1.safetensors: there is no such file or folder; check the name");
    let device = RUN.replace("cpu", "NoSuchCard");
    sandbox.i3d(&format!("{UCF101} -o out {rgb} --split 1 {device}")).exits(3);
    assert!(!sandbox.path("out").exists(), "nothing is begun");
}
