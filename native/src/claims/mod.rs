//! What a command reads and what it writes, compared before any work: no input is overwritten, no two outputs are one
//! file, and no file of another kind is replaced unless `--overwrite` says so.

mod inputs;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use i3d::{Error, Result};

use crate::args::Command;
use crate::film::Format;
use crate::output::kind::{self, Kind};
use crate::output::place::{self, Identity, Place};
use crate::output::{remove_leftovers, unwritable};
use crate::{eval, train};
use inputs::Input;

/// A file that a command will write.
struct Output {
    /// The option that names it, or what it is called in a folder.
    name: String,
    path: PathBuf,
    kind: Kind,
}

/// What a command reads and writes.
#[derive(Default)]
struct Claims {
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    /// A folder in which files have names that this program chooses.
    folder: Option<PathBuf>,
}

/// Fails where a command would destroy what is not its own.
///
/// # Errors
/// Paths that cannot be written, outputs that are inputs or each other, and files of another kind.
pub fn check(command: &Command, overwrite: bool) -> Result<()> {
    Claims::of(command).check(overwrite)
}

impl Claims {
    fn of(command: &Command) -> Claims {
        let mut claims = Claims::default();
        match command {
            Command::Classify(args) => {
                claims.inputs.extend(args.inputs.iter().cloned().map(Input::Clip));
                claims.read([&args.rgb_clip, &args.flow_clip, &args.labels], Input::File);
                claims.read([&args.weights.rgb, &args.weights.flow], Input::Checkpoint);
                claims.write("--json", args.json.as_deref(), Kind::Json);
                claims.write("--csv", args.csv.as_deref(), Kind::Csv);
                claims.write("--srt", args.srt.as_deref(), Kind::Srt);
                claims.write("--vtt", args.vtt.as_deref(), Kind::Vtt);
            }
            Command::Flow(args) => {
                claims.inputs.push(Input::Clip(args.input.clone()));
                // A folder must be new, which is seen when it is made.
                if let Some(kind) = crate::flow::kind(&args.output) {
                    claims.write("--output", Some(&args.output), kind);
                }
            }
            Command::Train(args) => {
                claims.inputs.push(Input::Data(args.data.clone()));
                claims.inputs.push(Input::Checkpoint(args.from.clone()));
                claims.write_into(&args.output, train::FILES.iter().map(|&(name, kind)| (name.into(), kind)));
            }
            Command::Eval(args) => {
                claims.inputs.push(Input::Data(args.data.clone()));
                claims.read([&args.annotations], Input::Data);
                claims.read([&args.rgb, &args.flow, &args.both], Input::Checkpoint);
                claims.write_into(&args.output, eval::files(&args.output));
            }
            Command::Convert(args) => {
                claims.inputs.push(Input::Checkpoint(args.checkpoint.clone()));
                claims.read([&args.labels], Input::File);
                claims.write("the output", Some(&args.output), Kind::Safetensors);
            }
            Command::Inflate(args) => {
                claims.inputs.push(Input::Checkpoint(args.weights.clone()));
                claims.read([&args.labels], Input::File);
                claims.write("the output", Some(&args.output), Kind::Safetensors);
            }
            Command::Dump(args) => {
                claims.inputs.push(Input::Clip(args.input.clone()));
                claims.read([&args.weights.rgb, &args.weights.flow], Input::Checkpoint);
                claims.write("--output", Some(&args.output), Kind::Npy);
            }
            Command::Bench(args) => {
                claims.read([&args.rgb, &args.flow], Input::Checkpoint);
                claims.read([&args.turns], Input::File);
                claims.write("--json", args.json.as_deref(), Kind::Json);
                claims.write("--save-weights", args.save_weights.as_deref(), Kind::Safetensors);
            }
            Command::Synth(args) => {
                let kind = Format::of(&args.output).map(Format::kind);
                if let Some(kind) = kind {
                    claims.write("the output", Some(&args.output), kind);
                }
            }
            Command::Selftest(args) => claims.write("--json", args.json.as_deref(), Kind::Json),
            // These write to standard output, or into folders of the program's own.
            Command::Compare(_)
            | Command::Plan(_)
            | Command::Systems(_)
            | Command::Devices(_)
            | Command::Models(_) => {}
        }
        claims
    }

    fn read<const N: usize>(&mut self, paths: [&Option<PathBuf>; N], input: fn(PathBuf) -> Input) {
        self.inputs.extend(paths.into_iter().flatten().cloned().map(input));
    }

    fn write(&mut self, name: &str, path: Option<&Path>, kind: Kind) {
        self.outputs.extend(path.map(|path| Output { name: name.into(), path: path.to_path_buf(), kind }));
    }

    /// Files in a folder, which may not be there yet.
    fn write_into(&mut self, folder: &Path, files: impl Iterator<Item = (String, Kind)>) {
        self.folder = Some(folder.to_path_buf());
        if folder.is_dir() {
            self.outputs.extend(files.map(|(name, kind)| Output { path: folder.join(&name), name, kind }));
        }
    }

    fn check(&self, overwrite: bool) -> Result<()> {
        if let Some(folder) = &self.folder {
            place::check_folder_name(folder)?;
            if folder.exists() && !folder.is_dir() {
                return Err(unwritable(folder, "it is not a folder; give the name of a folder"));
            }
        }
        let place =
            |output: &Output| place::of(&output.path).map_err(|reason| unwritable(&output.path, reason));
        let places: Vec<Place> = self.outputs.iter().map(place).collect::<Result<_>>()?;
        let mut known: Vec<(&Output, &Place, Identity)> = Vec::new();
        for (output, place) in self.outputs.iter().zip(&places) {
            // Several may write to one terminal, or to nowhere.
            let Some(identity) = place.identity() else { continue };
            if let Some((other, ..)) = known.iter().find(|(_, _, known)| *known == identity) {
                return Err(output.is_other(other, &identity));
            }
            known.push((output, place, identity));
        }
        for (stream, identity) in place::standard_streams() {
            if let Some((output, ..)) = known.iter().find(|(.., known)| *known == identity) {
                return Err(usage(&output.path, format!("{stream} goes there too; give another file")));
            }
        }
        self.check_inputs(&known)?;
        let mut outputs = self.outputs.iter().zip(&places);
        outputs.try_for_each(|(output, place)| output.check_kind(place, overwrite))?;
        // Only those of a command that may write there are looked at.
        let folders = known.iter().filter_map(|(_, place, _)| match place {
            Place::File(path) => Some(place::folder(path)),
            _ => None,
        });
        let mut folders: Vec<&Path> = folders.collect();
        folders.dedup();
        // Of a folder with a command at work it is known whose its files are only once that is locked.
        folders.retain(|folder| self.folder.as_deref() != Some(folder));
        folders.into_iter().for_each(remove_leftovers);
        Ok(())
    }

    /// Fails where an output is a file that the command reads, under whatever name.
    fn check_inputs(&self, outputs: &[(&Output, &Place, Identity)]) -> Result<()> {
        // What is not there yet is nobody's input; looking through a data set takes a while.
        let there = |(output, ..): &&(&Output, &Place, Identity)| output.path.exists();
        let there: Vec<_> = outputs.iter().filter(there).collect();
        if there.is_empty() {
            return Ok(());
        }
        for input in &self.inputs {
            for file in input.files(self.folder.as_deref()) {
                let Some(identity) = place::identity(&file) else { continue };
                if let Some((output, ..)) = there.iter().find(|(.., output)| *output == identity) {
                    let same = match file == output.path {
                        true => "it is an input of this command".to_string(),
                        false => {
                            format!("it is the same file as {}, an input of this command", file.display())
                        }
                    };
                    let problem = format!("{same}, which would be lost; give the output another name");
                    return Err(usage(&output.path, problem));
                }
            }
        }
        Ok(())
    }
}

impl Output {
    /// Fails where a file of another kind would be replaced.
    fn check_kind(&self, place: &Place, overwrite: bool) -> Result<()> {
        let path = match place {
            Place::StandardOutput if self.kind.is_binary() && std::io::stdout().is_terminal() => {
                let problem =
                    format!("{} is nothing for a terminal; redirect it to a file", self.kind.name());
                return Err(usage(Path::new("standard output"), problem));
            }
            Place::File(path) => path,
            Place::Special(path) if place::is_block_device(path) => path,
            Place::Special(_) | Place::StandardOutput | Place::Descriptor(_) => return Ok(()),
        };
        let Ok(found) = std::fs::metadata(path) else { return Ok(()) };
        if overwrite || (found.is_file() && found.len() == 0) {
            return Ok(());
        }
        let wanted = self.kind.name();
        if !self.kind.may_replace(path) {
            let there = kind::describe(path);
            return Err(usage(
                &self.path,
                format!(
                    "it is there already and is {there}, not {wanted}; give another name, or --overwrite"
                ),
            ));
        }
        if found.permissions().readonly() {
            let problem = "it is there already and is write-protected; give another name, or --overwrite";
            return Err(usage(&self.path, problem));
        }
        Ok(())
    }

    /// The error of an output that is another one too.
    fn is_other(&self, other: &Output, identity: &Identity) -> Error {
        let names = format!("{} and {}", other.name, self.name);
        if *identity == Identity::StandardOutput {
            let problem = "both go to standard output; give at most one of them as `-`";
            return Error::Usage(format!("{names}: {problem}"));
        }
        usage(&self.path, format!("{names} are one file; give each its own"))
    }
}

fn usage(path: &Path, problem: impl std::fmt::Display) -> Error {
    Error::Usage(format!("{}: {problem}", path.display()))
}
