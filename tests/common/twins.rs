//! A case on the twin of its kernel.

use i3d::backend::gpu::manifest::Twin;
use i3d::backend::params::Params;

use super::cases::Case;

/// Computes the outputs of `case` in place: they hold what is there before.
pub fn run(case: &Case, outputs: &mut [Vec<f32>]) {
    let reads: Vec<&[f32]> = case.reads.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    match (case.kernel.twin, case.params, &mut outputs[..]) {
        (Twin::Gemm(twin), Params::Gemm(p), [output, others @ ..]) => {
            let add = case.constants.contains(&("ADD", 1.0));
            let other = others.first_mut().map_or(&mut [][..], |other| &mut **other);
            twin(&p, add, reads[0], reads[1], reads[2], [&mut **output, other]);
        }
        (Twin::Head(twin), Params::Head(p), [features, per_step, logits]) => {
            twin(&p, reads[0], reads[1], reads[2], [&mut **features, &mut **per_step, &mut **logits]);
        }
        (Twin::Winners(twin), Params::Pool(p), [output, winners]) => {
            twin(&p, reads[0], [&mut **output, &mut **winners]);
        }
        (Twin::Conv(twin), Params::Conv(p), [output]) => twin(&p, reads[0], reads[1], reads[2], output),
        (Twin::Pool(twin), Params::Pool(p), [output]) => twin(&p, reads[0], output),
        (Twin::Mean(twin), Params::Mean(p), [output]) => twin(&p, reads[0], output),
        (Twin::Flow1(twin), Params::Flow(p), [output]) => twin(&p, reads[0], output),
        (Twin::Flow2(twin), Params::Flow(p), [output]) => twin(&p, reads[0], reads[1], output),
        (Twin::Flow3(twin), Params::Flow(p), [output]) => twin(&p, reads[0], reads[1], reads[2], output),
        (Twin::WinoIn(twin), Params::Wino(p), [output]) => twin(&p, reads[0], output),
        (Twin::WinoOut(twin), Params::Wino(p), [output]) => twin(&p, reads[0], reads[1], output),
        (Twin::Bias(twin), Params::Conv(p), [output]) => twin(&p, reads[0], output),
        (Twin::ConvGrad(twin), Params::Conv(p), [output]) => twin(&p, reads[0], reads[1], output),
        (Twin::PoolGrad(twin), Params::Pool(p), [output]) => twin(&p, reads[0], reads[1], output),
        (Twin::Lstm(twin), Params::Lstm(p), [trace, output]) => twin(&p, reads[0], reads[1], trace, output),
        (Twin::LstmGrad(twin), Params::Lstm(p), [trace, input_gates, state_gates, bias_grad]) => {
            twin(&p, reads[0], reads[1], trace, [&mut **input_gates, &mut **state_gates, &mut **bias_grad]);
        }
        (Twin::Norm(twin), Params::Norm(p), [output]) => twin(&p, &reads[..case.kernel.reads.len()], output),
        (Twin::Parts(twin), Params::Parts(p), [output]) => twin(&p, reads[0], output),
        _ => panic!("{}: the twin takes other parameters", case.name),
    }
}
