//! `dump`, `compare`, `plan`, and the help.

use npyz::NpyFile;

use crate::fixtures::npy;
use crate::{Sandbox, logits};

fn dumped(sandbox: &Sandbox, name: &str) -> (Vec<u64>, Vec<f32>) {
    let bytes = sandbox.read(name);
    let file = NpyFile::new(&bytes[..]).expect("a .npy file");
    (file.shape().to_vec(), file.into_vec().expect("float32"))
}

#[test]
fn dump_writes_any_endpoint() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(17, 3));
    let dump = |endpoint: &str| {
        let command = format!("dump a.npy --device cpu --rgb rgb.safetensors --endpoint {endpoint} -o x.npy");
        sandbox.i3d(&command).ok();
        dumped(&sandbox, "x.npy")
    };
    assert_eq!(dump("input").0, [17, 32, 32, 3]);
    assert_eq!(dump("Conv3d_1a_7x7").0, [9, 16, 16, 4]);
    assert_eq!(dump("Mixed_5c").0, [3, 1, 1, 64]);
    let (shape, values) = dump("Logits");
    assert_eq!(shape, [5]);
    let result = sandbox.classify("a.npy --rgb rgb.safetensors --json -").ok().json();
    let expected: Vec<f32> = logits(&result, "rgb").iter().map(|&l| l as f32).collect();
    assert_eq!(values, expected);
}

#[test]
fn endpoints_that_are_none_are_told_before_any_work() {
    let sandbox = Sandbox::new();
    let names = ["there is no endpoint \"Mixed_9z\"", "Conv3d_1a_7x7", "Logits"];
    sandbox.i3d("dump a.mp4 --rgb r.safetensors --endpoint Mixed_9z -o x.npy").fails_with(
        2,
        names[0],
        &names[1..],
    );
    sandbox.i3d("compare a.mp4 --rgb r.safetensors --until Mixed_9z").fails_with(2, names[0], &names[1..]);
}

#[test]
fn compare_prints_a_table() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    sandbox.write("flow.npy", npy(9, 2));
    let run = sandbox.i3d("compare a.npy --rgb rgb.safetensors --device cpu --against cpu").ok();
    assert!(run.stderr.contains("warning: both runs used the same device"), "{run:?}");
    let rows: Vec<&str> = run.stdout.lines().skip_while(|line| !line.starts_with("Conv3d_1a_7x7")).collect();
    assert!(rows.len() >= 19, "{run:?}");
    assert!(rows.iter().all(|row| row.ends_with("  ok") && row.contains(" 0 / ")), "{run:?}");
    assert!(rows.last().is_some_and(|row| row.starts_with("Logits ")), "{run:?}");
    let short = "compare a.npy --rgb rgb.safetensors --device cpu --until Conv3d_2b_1x1 --quiet";
    let short = sandbox.i3d(short).ok();
    assert!(short.stdout.trim_end().lines().last().is_some_and(|row| row.starts_with("Conv3d_2b_1x1 ")));
    assert_eq!(short.stderr, "");
    sandbox.video("whole.mkv", 40);
    let whole = sandbox.read("whole.mkv");
    sandbox.write("cut.mkv", &whole[..whole.len() / 2]);
    let broken =
        sandbox.i3d("compare cut.mkv --rgb rgb.safetensors --device cpu --until Conv3d_1a_7x7").exits(1);
    assert!(broken.stdout.ends_with("  ok\n"), "{broken:?}");
    assert!(broken.errors()[0].ends_with("; what came before is compared"), "{broken:?}");
    sandbox.i3d("compare flow.npy --rgb rgb.safetensors --device cpu").fails(
        2,
        "flow.npy: the clip has 2 channels and needs the flow network, but only rgb weights are loaded; give --flow PATH",
    );
}

#[test]
fn plan_sums_up_the_papers_networks() {
    let sandbox = Sandbox::new();
    let rgb = sandbox.i3d("plan --frames 64").ok().stdout;
    assert!(rgb.contains("12,689,984") && rgb.contains("111.15"), "{rgb}");
    let flow = sandbox.i3d("plan --frames 64 --stream flow").ok().stdout;
    assert!(flow.contains("12,668,032") && flow.contains("102.34"), "{flow}");
    let cpu = sandbox.i3d("plan --device cpu").ok().stdout;
    assert!(cpu.ends_with("limits       the CPU has none\n"), "{cpu}");
    for (arguments, said) in [
        ("--width 0", "width 0 is out of range: give a number in (0, 16]"),
        ("--input-size 8", "input size 8 is out of range: give 16 to 4096 pixels (the paper uses 224)"),
        ("--batch 0", "the batch is empty: give at least one clip"),
    ] {
        sandbox.i3d(&format!("plan {arguments}")).fails(2, said);
    }
}

#[test]
fn every_help_shows_an_example() {
    let sandbox = Sandbox::new();
    for command in ["classify", "convert", "dump", "compare", "plan", "bench", "devices", "models"] {
        let help = sandbox.i3d(&format!("{command} --help")).ok().stdout;
        let (_, example) =
            help.split_once("Example:\n").unwrap_or_else(|| panic!("{command} has none: {help}"));
        assert!(example.trim_start().starts_with(&format!("i3d {command}")), "{example}");
    }
    let help = sandbox.i3d("--help").ok().stdout;
    assert!(help.contains("Exit status: 0 done, 1 some inputs failed, 2 usage or bad input, 3 no device"));
    assert_eq!(sandbox.i3d("--version").ok().stdout, format!("i3d {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(sandbox.i3d("").exits(2).stdout, "");
    sandbox.i3d("clasify a.mp4").exits(2);
}
