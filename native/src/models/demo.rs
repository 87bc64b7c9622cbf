//! The demo model: two small networks that are part of the program, so that it has something true to say before anything
//! was fetched. How they were trained is told in docs/demo-model.md.

use std::path::Path;

use i3d::Result;
use i3d::network::Stream;
use i3d::weights::Checkpoint;

use super::hash;

/// What `--model` and `--from` call it.
pub const NAME: &str = "demo";

/// SHA-256 of the clips in `samples/`, which show what it knows.
const SAMPLES: [&str; 6] = [
    "104aa145ea8bed555918f3b8df295fc6b62a7e176af2a6b8825604eaaf17d8e4",
    "9adecd679d6eaf0d69ca3bbe67128424980d6363b1d97371aa4892d2dae20f50",
    "1fe26aa23049ab3d63379a59ecf1639de4b493a20a6b9462da8ddab48adcaded",
    "f79d5f01aac396cae57f226316a9f4c92995a25915332db918f10319bfb7f6a5",
    "218dd061cd1ffd8f8a9c2c969df7993f62ea6879ae597a5358306e75e3f4ae4f",
    "f12fb70f53864b02fdf2b74798c4fce164d474a8aa47d271194770957b25125c",
];

/// Longest of those files; whatever is longer is none of them, and is not read.
const LONGEST_SAMPLE: u64 = 400_000;

/// Whether a file is one of the clips that come with the program, whatever its name.
pub fn is_sample(path: &Path) -> bool {
    let short = |about: std::fs::Metadata| about.is_file() && about.len() <= LONGEST_SAMPLE;
    std::fs::metadata(path).is_ok_and(short)
        && hash::sha256(path).is_ok_and(|found| SAMPLES.contains(&found.as_str()))
}

/// The network of a stream, as safetensors.
fn bytes(stream: Stream) -> &'static [u8] {
    match stream {
        Stream::Rgb => include_bytes!("../../../samples/demo_rgb.safetensors"),
        Stream::Flow => include_bytes!("../../../samples/demo_flow.safetensors"),
    }
}

/// The network of a stream.
///
/// # Errors
/// None, unless the program was built from damaged files.
pub fn checkpoint(stream: Stream) -> Result<Checkpoint> {
    Checkpoint::from_bytes(&format!("demo model, {stream}"), bytes(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_known_and_nothing_else() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
        let files: Vec<_> =
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        let clips = files.iter().filter(|path| !path.to_string_lossy().ends_with(".safetensors"));
        assert_eq!(clips.filter(|path| is_sample(path)).count(), SAMPLES.len());
        assert!(
            files.len() > SAMPLES.len()
                && files.iter().filter(|path| is_sample(path)).count() == SAMPLES.len()
        );
    }
}
