//! Files that ask for more than they are worth, and files that never end: little memory, no waiting, a sentence.
#![cfg(unix)]

use std::io::Write;
use std::process::Command;

use i3d::clip::npy_bytes;
use i3d::network::Stream;

use crate::fixtures::{SIZE, npy, npy_of, safetensors};
use crate::pickle::zip;
use crate::{Run, Sandbox};

/// The program with `arguments` in so many KiB of address space, as `ulimit -v` counts it: threads and libraries take some 300,000 of
/// them.
fn limited(sandbox: &Sandbox, kib: u64, arguments: &str) -> Run {
    let program = env!("CARGO_BIN_EXE_i3d");
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -v {kib}; exec {program} {arguments}")])
        .current_dir(sandbox.path(""));
    // Every thread asks for address space that it never uses.
    command
        .env("RAYON_NUM_THREADS", "2")
        .env("MALLOC_ARENA_MAX", "2")
        .env("I3D_CACHE", sandbox.path("cache"));
    sandbox.finish(&mut command)
}

/// The pickle of a dictionary in which one long text is the key of many values.
fn name_bomb(length: usize, times: usize) -> Vec<u8> {
    let mut pickle = b"\x80\x02X".to_vec();
    pickle.extend((length as u32).to_le_bytes());
    pickle.resize(pickle.len() + length, b'n');
    pickle.extend(b"q\x000}(");
    pickle.extend(b"h\0N".repeat(times));
    pickle.extend(b"u.");
    pickle
}

/// A reference to a storage of a long key, again and again.
fn key_bomb(length: usize, times: usize) -> Vec<u8> {
    let mut pickle = b"\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX".to_vec();
    pickle.extend((length as u32).to_le_bytes());
    pickle.resize(pickle.len() + length, b'k');
    pickle.extend(b"X\x03\0\0\0cpuK\x01tq\x000");
    pickle.extend(b"h\0Q0".repeat(times));
    pickle.extend(b"}.");
    pickle
}

/// Tensors of sixteen axes, as many as there may be values.
fn tensor_bomb(times: usize) -> Vec<u8> {
    let axes = [&b"("[..], &b"K\x01".repeat(16), b"t"].concat();
    let mut pickle = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x000(".to_vec();
    pickle.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0");
    pickle.extend([&axes[..], &axes, b"tq\x010"].concat());
    pickle.extend(b"h\0h\x01R0".repeat(times));
    pickle.extend(b"}.");
    pickle
}

#[test]
fn memory_is_bounded_by_the_size_of_a_checkpoint() {
    let sandbox = Sandbox::new();
    let pickled = |pickle: Vec<u8>| zip(&[("m/data.pkl".into(), pickle)]);
    let million = |code: u8| [b"\x80\x02](", &vec![code; 999_000][..], b"e."].concat();
    let nested = [b"\x80\x02", &vec![b'('; 999_000][..], &vec![b't'; 999_000], b"."].concat();
    for (name, contents) in [
        ("names.pt", pickled(name_bomb(1 << 20, 100_000))),
        ("keys.pt", pickled(key_bomb(1 << 20, 100_000))),
        ("none.pt", pickled(million(b'N'))),
        ("lists.pt", pickled(million(b']'))),
        ("dictionaries.pt", pickled(million(b'}'))),
        ("nested.pt", pickled(nested)),
        ("tensors.pt", pickled(tensor_bomb(990_000))),
    ] {
        assert!(contents.len() < 6_000_000, "{name}");
        // What the library states, and what the program takes without any file.
        let (times, besides) = i3d::weights::MEMORY;
        let kib = (times * contents.len() + besides) as u64 / 1024 + 300_000;
        sandbox.write(name, contents);
        limited(&sandbox, kib, &format!("convert {name} out.safetensors")).fails_with(2, name, &[]);
    }
    // A whole network fits the same limit.
    sandbox.write("rgb.safetensors", safetensors(Stream::Rgb, 5));
    limited(&sandbox, 900_000, "convert rgb.safetensors out.safetensors").ok();
}

#[test]
fn a_file_of_a_terabyte_is_told_by_its_beginning() {
    let sandbox = Sandbox::new();
    sandbox.write("giant.pt", "");
    let file = std::fs::File::options().write(true).open(sandbox.path("giant.pt")).unwrap();
    // Nothing is stored where nothing was written. Not every file system has files as long.
    if file.set_len(1 << 40).is_ok() {
        limited(&sandbox, 900_000, "convert giant.pt out.safetensors").fails_with(
            2,
            "giant.pt",
            &["no known checkpoint format", "00 00 00 00"],
        );
    }
}

#[test]
fn archives_unpack_to_a_stated_size() {
    let sandbox = Sandbox::with_weights();
    let archive = |frames: usize| {
        let header = npy_of("<f4", &format!("{frames}, {SIZE}, {SIZE}, 3"), &[]);
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .large_file(true);
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("rgb.npy", options).unwrap();
        zip.write_all(&header).unwrap();
        let frame = vec![0; SIZE * SIZE * 3 * 4];
        (0..frames).for_each(|_| zip.write_all(&frame).unwrap());
        zip.finish().unwrap().into_inner()
    };
    // 600 MB in 600 kB, and a still clip of 250 frames as numpy compresses it.
    sandbox.write("bomb.npz", archive(50_000));
    sandbox.write("still.npz", archive(250));
    limited(&sandbox, 900_000, "classify --device cpu bomb.npz --rgb rgb.safetensors").fails_with(
        2,
        "bomb.npz",
        &["array `rgb`", "unpacked to 536870912 bytes", "numpy.savez"],
    );
    limited(&sandbox, 900_000, "classify --device cpu still.npz --rgb rgb.safetensors").ok();
}

#[test]
fn what_is_no_file_is_told_at_once() {
    let sandbox = Sandbox::with_weights();
    assert!(Command::new("mkfifo").arg(sandbox.path("pipe")).status().expect("mkfifo runs").success());
    sandbox.i3d("convert pipe out.safetensors").fails_with(2, "pipe: ", &["nobody writes to this pipe"]);
    sandbox
        .i3d("convert /dev/zero out.safetensors")
        .fails(2, "/dev/zero: this is a device, not a file; give a file");
    // Files of /proc say that they are empty, and reading them may wait for ever.
    if cfg!(target_os = "linux") {
        sandbox.i3d("convert /proc/self/environ out.safetensors").fails_with(
            2,
            "/proc/self/environ: ",
            &["is empty"],
        );
    }
    sandbox.i3d("convert . out.safetensors").fails_with(2, ".: ", &["no .index file"]);
    assert!(!sandbox.path("out.safetensors").exists());
    // Standard input and pipes of the shell are read to their end.
    sandbox.write("clip.npy", npy(9, 3));
    let program = env!("CARGO_BIN_EXE_i3d");
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(sandbox.path("")).env("I3D_CACHE", sandbox.path("cache"));
        sandbox.finish(&mut command)
    };
    let classify = "classify --device cpu --rgb rgb.safetensors --rgb-clip";
    shell(&format!("cat clip.npy | {program} {classify} /dev/stdin")).ok();
    shell(&format!("{program} {classify} /dev/stdin < clip.npy")).ok();
    shell(&format!("(sleep 0.3; cat clip.npy) | {program} {classify} /dev/stdin")).ok();
    shell(&format!("(sleep 0.3; cat clip.npy > pipe) & {program} {classify} pipe")).ok();
    shell(&format!("cat rgb.safetensors | {program} convert /dev/stdin out.safetensors")).ok();
}

#[test]
fn values_outside_of_the_range_are_told() {
    let sandbox = Sandbox::with_weights();
    let clip = |scale: f32, offset: f32, channels: usize| {
        let count = 9 * SIZE * SIZE * channels;
        let values: Vec<f32> = (0..count).map(|i| (i % 256) as f32 / 255.0 * scale + offset).collect();
        npy_bytes(&[9, SIZE, SIZE, channels], &values)
    };
    for (name, contents, said) in [
        (
            "bytes.npy",
            clip(255.0, 0.0, 3),
            "from 0 to 255, and the networks take [-1, 1]: it looks like 0 to 255",
        ),
        ("normal.npy", clip(4.7, -2.1, 3), "ImageNet"),
        ("wild.npy", clip(2000.0, -1000.0, 3), "scale it"),
        ("pixels.npy", clip(40.0, -20.0, 2), "divide by 20"),
    ] {
        sandbox.write(name, contents);
        let run = sandbox.classify(&format!("{name} --rgb rgb.safetensors --flow flow.safetensors")).ok();
        let warning =
            run.stderr.lines().find(|line| line.starts_with(&format!("warning: {name}: "))).unwrap_or("");
        assert!(warning.contains(said), "{run:?}");
        let quiet =
            sandbox.classify(&format!("-q {name} --rgb rgb.safetensors --flow flow.safetensors")).ok();
        assert_eq!(quiet.stderr, "");
    }
    sandbox.write("right.npy", clip(2.0, -1.0, 3));
    assert!(!sandbox.classify("right.npy --rgb rgb.safetensors").ok().stderr.contains("warning"));
}

#[test]
fn a_file_that_shrinks_while_it_is_read_ends_no_program() {
    let sandbox = Sandbox::new();
    let whole = safetensors(Stream::Rgb, 5);
    sandbox.write("a.safetensors", &whole);
    let path = sandbox.path("a.safetensors");
    for run in 0..12 {
        let child =
            sandbox.command("convert a.safetensors out.safetensors -q").spawn().expect("the program starts");
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        for step in 0..40 {
            file.set_len(whole.len() as u64 / (1 + (run + step) % 5)).unwrap();
            std::thread::sleep(std::time::Duration::from_micros(300));
        }
        let code = child.wait_with_output().expect("the program ends").status.code();
        assert!(matches!(code, Some(0 | 2)), "{code:?}: it was ended by a signal");
    }
}
