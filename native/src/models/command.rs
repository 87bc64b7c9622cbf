//! `i3d models`: what its commands print.

use i3d::models::SourceFiles;
use i3d::network::Stream;
use i3d::{Error, Result};

use super::{Added, Event, Health, Installed, Models, demo, row};
use crate::args::{ModelsArgs, ModelsCommand, Streams};
use crate::checkpoint;
use crate::output::print;
use crate::run::Outcome;
use crate::talk::{Talk, Unit};

/// Runs the command.
pub fn run(args: &ModelsArgs, talk: Talk) -> Result<Outcome> {
    let models = Models::open()?;
    match &args.command {
        ModelsCommand::List => {
            models.list().iter().try_for_each(|row| print(format_args!("{row}\n")))?;
            print(format_args!("{}\n", row::demo()))?;
        }
        ModelsCommand::Pull { name, streams, from } => {
            let only = only(&models, name, *streams)?;
            let installed = match from {
                None => pull(&models, name, only, talk)?,
                Some(from) => {
                    models.find(name)?;
                    let what =
                        Added { paths: std::slice::from_ref(from), only, complete: true, ..Added::default() };
                    add(&models, name, &what, talk)?
                }
            };
            paths(&installed)?;
        }
        ModelsCommand::Add { name, files, labels, overwrite } => {
            if name == demo::NAME {
                models.find(name)?;
            }
            let labels = labels.as_deref().map(checkpoint::read_labels).transpose()?;
            let what = Added { paths: files, labels, overwrite: *overwrite, ..Added::default() };
            paths(&add(&models, name, &what, talk)?)?;
        }
        ModelsCommand::Verify { name } => {
            let checks = models.verify(name.as_deref())?;
            for check in &checks {
                print(format_args!("{check}\n"))?;
            }
            if checks.is_empty() {
                talk.note("no model is installed; see `i3d models list`");
            }
            if checks.iter().any(|check| check.health != Health::Good) {
                return Ok(Outcome::SomeFailed);
            }
        }
        ModelsCommand::Path { name } => {
            let paths = models.path(name)?;
            for path in paths.rgb.iter().chain(&paths.flow) {
                print(format_args!("{}\n", path.display()))?;
            }
        }
        ModelsCommand::Remove { name } => {
            let freed = models.remove(name)?;
            talk.note(format!("{name}: removed, {:.1} MB freed", freed as f64 / 1e6));
        }
    }
    Ok(Outcome::Done)
}

/// The one stream that is asked for, or all.
fn only(models: &Models, name: &str, streams: Option<Streams>) -> Result<Option<Stream>> {
    let Some(streams) = streams else { return Ok(None) };
    let model = models.find(name)?;
    if let Some(stream) = streams.each().find(|&stream| model.source(stream).is_none()) {
        return Err(Error::Usage(format!("{name} has no {stream} stream; none was released")));
    }
    Ok(match streams {
        Streams::Rgb => Some(Stream::Rgb),
        Streams::Flow => Some(Stream::Flow),
        Streams::Both => None,
    })
}

/// Fetches a model, and shows how far it is.
pub fn pull(models: &Models, name: &str, only: Option<Stream>, talk: Talk) -> Result<Vec<Installed>> {
    told(name, talk, |report| models.pull(name, only, &SourceFiles::to_safetensors, report))
}

fn add(models: &Models, name: &str, what: &Added, talk: Talk) -> Result<Vec<Installed>> {
    told(name, talk, |report| models.add(name, what, &SourceFiles::to_safetensors, report))
}

/// Does something about a model, and shows what.
fn told<T>(name: &str, talk: Talk, work: impl FnOnce(&mut dyn FnMut(Event)) -> Result<T>) -> Result<T> {
    let bar = talk.bar(name, 1, Unit::Bytes);
    work(&mut |event| match event {
        Event::Downloading { stream, file, bytes, total } => {
            bar.set_message(format!("{stream}: {file}"));
            bar.set_length(total.unwrap_or(bytes));
            bar.set_position(bytes);
        }
        Event::Present(stream) => bar.suspend(|| talk.note(format!("{stream}: already here"))),
        Event::Converting(stream) => bar.set_message(format!("{stream}: converting")),
        Event::Stored(stream, path) => bar.suspend(|| talk.note(format!("{stream}: {}", path.display()))),
    })
}

fn paths(installed: &[Installed]) -> Result<()> {
    installed.iter().try_for_each(|installed| print(format_args!("{}\n", installed.path.display())))
}
