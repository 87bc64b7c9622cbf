//! The demo model: two small networks that are part of the program, so that it has something true to say before anything
//! was fetched. How they were trained is told in docs/demo-model.md.

use i3d::Result;
use i3d::network::Stream;
use i3d::weights::Checkpoint;

/// What `--model` and `--from` call it.
pub const NAME: &str = "demo";

/// Its line in `i3d models list`.
pub fn line() -> String {
    let about = "drawn actions (`i3d synth`); runs where no other model is installed";
    super::line(NAME, true, i3d_synth::CLASSES.len(), "bundled", "as i3d", about)
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
