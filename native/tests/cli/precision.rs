//! `--precision`: what it says of itself, and where there are no 16-bit floats.

use i3d::network::Stream;
use i3d::plan::{Plan, Precision};

use crate::devices::without_adapters;
use crate::fixtures::{network, npy};
use crate::{Sandbox, assert_close, logits};

#[test]
fn f16_where_there_is_none_is_told() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    let contradiction = "--precise is about rounding that --precision f16 exceeds; leave one of them out";
    let cpu =
        "--device cpu has no 16-bit floats; use --precision f32, or a GPU that has them (see `i3d devices`)";
    for command in [
        "classify a.npy --rgb rgb.safetensors",
        "dump a.npy --rgb rgb.safetensors --endpoint Logits -o x.npy",
        "compare a.npy --rgb rgb.safetensors",
        "bench --frames 9 --width 0.0625 --input-size 32",
        "flow a.gif -o a.npy",
    ] {
        let run = |options: &str| sandbox.i3d(&format!("{command} {options}"));
        run("--device cpu --precise --precision f16").fails(2, contradiction);
        run("--device cpu --precision f16").fails(2, cpu);
        run("--precision f8").exits(2);
    }
    let run = "classify a.npy --rgb rgb.safetensors --precision f16 --threads 1";
    let run = without_adapters(&sandbox, run).exits(3);
    let [error] = &run.errors()[..] else { panic!("{run:?}") };
    let device = format!("{}, 1 thread (cpu) has none", std::env::consts::ARCH);
    assert!(error.starts_with("--precision f16 needs a GPU") && error.contains(&device), "{run:?}");
    assert!(error.contains("use --precision f32, or name another --device"), "{run:?}");
}

#[test]
fn results_name_the_precision() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("a.npy", npy(9, 3));
    let command = "classify a.npy --rgb rgb.safetensors --json - --precision";
    let full = sandbox.i3d(&format!("{command} f32 --precise --device cpu")).ok().json();
    assert_eq!(full["precision"], "f32");
    let bench = "bench --width 0.0625 --input-size 32 --frames 9 --runs 1";
    assert_eq!(sandbox.i3d(&format!("{bench} --device cpu --json -")).ok().json()["precision"], "f32");
    // Whatever this machine has.
    let adapters = sandbox.i3d("devices --json").exits(0).json();
    for adapter in adapters["adapters"].as_array().expect("a list") {
        let name = adapter["name"].as_str().expect("a name").split(' ').next().expect("a word");
        let half = sandbox.i3d(&format!("{command} f16 --device {name}"));
        if adapter["shader_f16"] != true {
            let run = half.exits(3);
            assert!(run.errors()[0].starts_with("--precision f16 needs a GPU"), "{run:?}");
            continue;
        }
        let half = half.exits(0).json();
        assert_eq!(half["precision"], "f16");
        // Three digits: see the tests of whole networks.
        assert_close(&logits(&half, "rgb"), &logits(&full, "rgb"), 2e-2);
        let entry = sandbox.i3d(&format!("{bench} --device {name} --precision f16 --json -")).exits(0).json();
        assert_eq!(entry["precision"], "f16");
        let compared = format!("compare a.npy --rgb rgb.safetensors --precision f16 --device {name}");
        let table = sandbox.i3d(&compared).exits(0).stdout;
        assert!(table.contains(", f16\nagainst ") && table.contains("(cpu), f32\n"), "{table}");
        assert!(sandbox.i3d("devices").exits(0).stdout.contains("MiB per binding, f16\n"));
    }
}

#[test]
fn plans_count_half_the_bytes() {
    let sandbox = Sandbox::new();
    let mib = |bytes: u64| format!("{:.1} MiB in ", bytes as f64 / f64::from(1 << 20));
    let plan = Plan::new(&network(Stream::Rgb, 400), 1, 64).expect("a plan");
    let half = plan.clone().with_precision(Precision::F16);
    for (precision, plan) in [("f32", plan), ("f16", half)] {
        let command = format!("plan --width 0.0625 --input-size 32 --precision {precision}");
        let text = sandbox.i3d(&command).ok().stdout;
        assert!(text.contains(&mib(plan.activation_bytes())), "{text}");
    }
}
