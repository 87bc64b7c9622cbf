//! The commands.

use std::process::ExitCode;

use i3d::backend::gpu::Adapter;
use i3d::backend::{Device, DeviceRequest};
use i3d::clip::npy_bytes;
use i3d::models::to_safetensors;
use i3d::network::{LOGITS, LOGITS_PER_STEP, MIN_FRAMES, Network, Stream};
use i3d::plan::Plan;
use i3d::{Error, Result, labels};

use crate::args::{Cli, Command, ConvertArgs, DevicesArgs, DumpArgs, PlanArgs};
use crate::input::{self, Part};
use crate::output::{self, Output, print};
use crate::talk::Talk;
use crate::{
    bench, checkpoint, claims, classify, compare, device, eval, flow, inflate, models, networks, selftest,
    synth, systems, train,
};

/// How a command that ran ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was done: exit 0.
    Done,
    /// Some inputs failed, or a check did: exit 1.
    SomeFailed,
}

/// Runs the command and gives the documented exit status.
pub fn run(cli: Cli) -> ExitCode {
    let talk = Talk { quiet: cli.quiet };
    let outcome = claims::check(&cli.command, cli.overwrite).and_then(|()| match &cli.command {
        Command::Classify(args) => classify::run(args, talk),
        Command::Flow(args) => flow::run(args, talk),
        Command::Train(args) => train::run(args, talk),
        Command::Eval(args) => eval::run(args, talk),
        Command::Convert(args) => convert(args, talk),
        Command::Inflate(args) => inflate::run(args, talk),
        Command::Dump(args) => dump(args, talk),
        Command::Compare(args) => compare::run(args, talk),
        Command::Plan(args) => plan(args),
        Command::Systems(args) => systems::run(args),
        Command::Bench(args) => bench::run(args, talk),
        Command::Synth(args) => synth::run(args, talk),
        Command::Devices(args) => devices(args),
        Command::Selftest(args) => selftest::run(args, talk),
        Command::Models(args) => models::command::run(args, talk),
    });
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Err(error) if output::reader_is_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::wait_if_ending();
            talk.error(&error);
            ExitCode::from(if matches!(error, Error::NoDevice { .. }) { 3 } else { 2 })
        }
    }
}

fn convert(args: &ConvertArgs, talk: Talk) -> Result<Outcome> {
    let output = Output::create(&args.output)?;
    let checkpoint = checkpoint::read(&args.checkpoint)?;
    let names = args.labels.as_deref().map(checkpoint::read_labels).transpose()?;
    let network = checkpoint.network()?;
    if let (Some(names), Some(path)) = (&names, &args.labels) {
        labels::check(&path.display().to_string(), names, network.classes)?;
    }
    let (bytes, report) = to_safetensors(&checkpoint, names, args.precision.into())?;
    output.finish(&bytes)?;
    let (from, to) = (args.checkpoint.display(), args.output.display());
    talk.note(format!("{from} ({}): {report}", checkpoint.format));
    talk.note(format!(
        "{to}: {:.1} MB, {} classes, width {}",
        bytes.len() as f64 / 1e6,
        network.classes,
        network.width
    ));
    Ok(Outcome::Done)
}

fn dump(args: &DumpArgs, talk: Talk) -> Result<Outcome> {
    let output = Output::create(&args.output)?;
    let is_input = args.endpoint == "input";
    if !is_input {
        check_endpoint(&args.endpoint)?;
    }
    let part = Part::new(args.input.clone())?;
    let model = networks::choose(&args.weights, &[&part], talk)?;
    let streams = model.wanted(&[&part]);
    // What comes before the classifier needs none.
    let open = match args.endpoint.as_str() {
        LOGITS | LOGITS_PER_STEP => networks::open,
        _ => networks::open_trunk,
    };
    let (mut classifier, _) = open(&model, &args.run, streams, talk)?;
    let stream = streams.each().next().unwrap_or(Stream::Rgb);
    let loaded = input::load(&part, stream, &args.clip, (&args.tvl1).into(), &classifier, talk)?;
    let (shape, bytes) = if is_input {
        let c = &loaded.clip;
        (vec![c.frames, c.height, c.width, c.channels], c.to_npy())
    } else {
        let mut progress = talk.work(classifier.device());
        let names = [args.endpoint.as_str()];
        let values = pollster::block_on(classifier.endpoints(&loaded.clip, &names, &mut progress))?;
        drop(progress);
        let missing = || Error::Usage(format!("{} was not computed", args.endpoint));
        let values = values.get(&args.endpoint).ok_or_else(missing)?;
        let s = values.shape;
        // The head's outputs have no height and width: [T', C], and [C] for the mean over time.
        let shape = match (s.t, s.h * s.w) {
            (1, 1) if args.endpoint == LOGITS => vec![s.c],
            (t, 1) if args.endpoint.starts_with(LOGITS) => vec![t, s.c],
            _ => vec![s.t, s.h, s.w, s.c],
        };
        let bytes = npy_bytes(&shape, &values.data);
        (shape, bytes)
    };
    output.finish(&bytes)?;
    talk.note(format!("{}: {} {shape:?} float32", args.output.display(), args.endpoint));
    match loaded.broken {
        Some(error) => {
            talk.error(format!("{error}; what came before is written"));
            Ok(Outcome::SomeFailed)
        }
        None => Ok(Outcome::Done),
    }
}

/// Fails where no network has such an endpoint; all of them have the same.
pub fn check_endpoint(name: &str) -> Result<()> {
    Plan::new(&Network::i3d(Stream::Rgb, 400), 1, MIN_FRAMES)?.find(name).map(drop)
}

fn plan(args: &PlanArgs) -> Result<Outcome> {
    let whole = args.system.network(args.stream, args.classes)?;
    let input_size = args.input_size.unwrap_or(whole.input_size);
    let network = Network { width: args.width, input_size, ..whole };
    let frames = args.frames.unwrap_or(network.system.protocol().train_steps);
    let plan = Plan::new(&network, args.batch, frames)?.with_precision(args.precision.into());
    let device = args.device.as_ref().map(|request| pollster::block_on(Device::open(request, 0)));
    let device = device.transpose()?;
    print(format_args!("{plan}\n"))?;
    if let Some(device) = device {
        device.check(&plan)?;
        match &device {
            Device::Cpu { .. } => print("limits       the CPU has none\n")?,
            Device::Gpu(gpu) => print(format_args!("limits       fits {}\n", gpu.adapter))?,
        }
    }
    Ok(Outcome::Done)
}

fn devices(args: &DevicesArgs) -> Result<Outcome> {
    let adapters = pollster::block_on(i3d::backend::gpu::adapters());
    let chosen = pollster::block_on(Device::open(&DeviceRequest::Auto, 0))?.info();
    let cpu = Device::Cpu { threads: 0 }.info();
    if args.json {
        let row = |a: &Adapter| {
            let (variants, tuned) = device::variants(a);
            serde_json::json!({
                "backend": a.backend, "name": a.name, "driver": a.driver, "kind": a.kind,
                "max_binding_bytes": a.limits.max_binding_bytes, "max_buffer_bytes": a.limits.max_buffer_bytes,
                "variants": variants, "tuned": tuned,
                "shader_f16": a.shader_f16,
            })
        };
        let rows: Vec<_> = adapters.iter().map(row).collect();
        let document = serde_json::json!({ "auto": chosen, "adapters": rows, "cpu": cpu });
        print(format_args!("{document:#}\n"))?;
        return Ok(Outcome::Done);
    }
    print(format_args!("auto chooses  {chosen}\n\n--device cpu  {cpu}\n"))?;
    for adapter in &adapters {
        let kind = format!("{:?}", adapter.kind).to_lowercase();
        let mib = adapter.limits.max_binding_bytes >> 20;
        let (variants, tuned) = device::variants(adapter);
        let origin = if tuned { "measured here" } else { "not measured here, see `i3d bench --tune`" };
        let half = if adapter.shader_f16 { ", f16" } else { "" };
        print(format_args!(
            "{kind:<13} {adapter}, {mib} MiB per binding{half}\n{:<13} {variants} ({origin})\n",
            ""
        ))?;
    }
    if adapters.is_empty() {
        print("no GPU adapter was found; i3d runs on the CPU\n")?;
    }
    Ok(Outcome::Done)
}
