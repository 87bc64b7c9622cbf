//! `i3d synth`: clips of the synthetic action set, as a folder to train on or as one film to look at.

use std::path::Path;

use i3d::{Error, Result};
use i3d_synth::{CLASSES, Clip, Options, Split};
use rayon::prelude::*;

use crate::args::SynthArgs;
use crate::film::{Film, Format};
use crate::output::OutputFolder;
use crate::run::Outcome;
use crate::talk::{Talk, Unit};

/// Clips per class and split where nothing is said.
const CLIPS: u64 = 10;

/// A clip to be written.
struct Item {
    split: Split,
    class: usize,
    index: u64,
    /// Below the output folder, with `/` on every system.
    path: String,
}

/// Runs the command.
pub fn run(args: &SynthArgs, talk: Talk) -> Result<Outcome> {
    let classes = classes(&args.classes)?;
    let splits: Vec<Split> = args.split.iter().map(|&split| split.into()).collect();
    let (width, height) = args.size;
    let options =
        Options { width, height, frames: args.frames as usize, seed: args.seed, ..Options::default() };
    match Format::of(&args.output) {
        Some(format) => one(args, &classes, splits[0], format, &options, talk)?,
        None => folder(args, &classes, &splits, &options, talk)?,
    }
    Ok(Outcome::Done)
}

/// The numbers of the named classes, in the order of the set; all of them where none is named.
fn classes(names: &[String]) -> Result<Vec<usize>> {
    if let Some(name) = names.iter().find(|name| !CLASSES.contains(&name.trim())) {
        let known = CLASSES.join(", ");
        return Err(Error::Usage(format!("there is no class `{name}`; the classes are: {known}")));
    }
    let wanted = |class: &usize| names.is_empty() || names.iter().any(|name| name.trim() == CLASSES[*class]);
    Ok((0..CLASSES.len()).filter(wanted).collect())
}

fn one(
    args: &SynthArgs,
    classes: &[usize],
    split: Split,
    format: Format,
    options: &Options,
    talk: Talk,
) -> Result<()> {
    let place = args.output.display();
    let [class] = *classes else {
        let problem = "a single film shows a single class; name it with --classes, or give a folder";
        return Err(Error::Usage(format!("{place}: {problem}")));
    };
    if !args.clips.is_empty() || args.format.is_some() {
        let problem = "a single film is one clip in the format of its name; leave out --clips and --format";
        return Err(Error::Usage(format!("{place}: {problem}")));
    }
    let clip = clip(split, class, 0, options)?;
    write(&clip, options, &args.output, format)?;
    talk.note(format!("{place}: {}, {} frames", CLASSES[class], clip.len()));
    Ok(())
}

fn folder(
    args: &SynthArgs,
    classes: &[usize],
    splits: &[Split],
    options: &Options,
    talk: Talk,
) -> Result<()> {
    let format = args.format.unwrap_or(Format::Mp4);
    let counts = match &args.clips[..] {
        [] => vec![CLIPS; splits.len()],
        [all] => vec![*all; splits.len()],
        each if each.len() == splits.len() => each.to_vec(),
        each => {
            let problem = format!("--clips has {} numbers for {} splits", each.len(), splits.len());
            return Err(Error::Usage(format!("{problem}; give one for all, or one for each of --split")));
        }
    };
    let folder = OutputFolder::create(&args.output)?;
    // Whatever fails inside has a temporary name that nobody knows.
    let fail = |error| match error {
        Error::Io { source, .. } => folder.error(source),
        other => other,
    };
    let io = |source| folder.error(source);
    let mut items = Vec::new();
    for (&split, clips) in splits.iter().zip(counts) {
        for &class in classes {
            std::fs::create_dir_all(folder.path().join(CLASSES[class])).map_err(io)?;
            items.extend((0..clips).map(|index| {
                let file = format!("{}_{index:05}.{}", split.name(), format.extension());
                Item { split, class, index, path: format!("{}/{file}", CLASSES[class]) }
            }));
        }
    }
    let bar = talk.bar("clips", items.len() as u64, Unit::Clips);
    items.par_iter().try_for_each(|item| {
        let clip = clip(item.split, item.class, item.index, options)?;
        write(&clip, options, &folder.path().join(&item.path), format).map_err(fail)?;
        bar.inc(1);
        Ok(())
    })?;
    drop(bar);
    let labels: String = classes.iter().map(|&class| format!("{}\n", CLASSES[class])).collect();
    // No name of the set holds a comma or a quote.
    let rows = items.iter().map(|i| format!("{},{},{}\n", i.path, CLASSES[i.class], i.split.name()));
    let table = std::iter::once("path,label,split\n".to_owned()).chain(rows).collect::<String>();
    std::fs::write(folder.path().join("labels.txt"), labels).map_err(io)?;
    std::fs::write(folder.path().join("clips.csv"), table).map_err(io)?;
    folder.finish()?;
    let (clips, classes) = (items.len(), classes.len());
    talk.note(format!("{}: {clips} clips of {classes} classes", args.output.display()));
    Ok(())
}

fn clip(split: Split, class: usize, index: u64, options: &Options) -> Result<Clip> {
    Clip::new(split, class, index, options).map_err(|invalid| Error::Usage(invalid.to_string()))
}

fn write(clip: &Clip, options: &Options, path: &Path, format: Format) -> Result<()> {
    let mut film = Film::create(path, format, f64::from(options.fps))?;
    for frame in clip.frames() {
        film.add(options.width as usize, options.height as usize, frame)?;
    }
    film.finish()
}
