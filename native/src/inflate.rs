//! `i3d inflate`: a 2-D network becomes the start of a 3-D one.

use i3d::Result;
use i3d::plan::Precision;
use i3d::weights::Metadata;

use crate::args::InflateArgs;
use crate::output::Output;
use crate::run::Outcome;
use crate::talk::Talk;
use crate::{checkpoint, networks};

/// Runs the command.
pub fn run(args: &InflateArgs, talk: Talk) -> Result<Outcome> {
    let output = Output::create(&args.output)?;
    let labels = args.labels.as_deref().map(checkpoint::read_labels).transpose()?;
    let classes = labels.as_ref().map_or(args.classes, Vec::len);
    // The classifier is replaced below, so there need not be one.
    let flat = networks::trunk(&args.weights)?;
    let parameters = flat.inflate(args.stream.into())?.with_classes(classes, args.seed);
    let metadata = Metadata {
        labels,
        source: args.weights.file_name().map(|name| name.to_string_lossy().into_owned()),
        source_sha256: Some(flat.sha256),
        ..Metadata::default()
    };
    let (from, to) = (args.weights.display().to_string(), args.output.display().to_string());
    let bytes = parameters.to_checkpoint(&from, metadata).to_safetensors(None, Precision::F32)?;
    output.finish(&bytes)?;
    let stream = i3d::network::Stream::from(args.stream);
    talk.note(format!("{from} ({}): a 2-D network, inflated for {stream}", flat.format));
    talk.note(format!(
        "{to}: {:.1} MB, width {}; its classifier for {classes} classes knows nothing yet: train it with `i3d train \
         --from {to}`",
        bytes.len() as f64 / 1e6,
        parameters.network.width
    ));
    Ok(Outcome::Done)
}
