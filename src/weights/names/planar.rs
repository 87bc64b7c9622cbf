//! The two public 2-D Inception-V1 checkpoints: what they call the units, and their layouts.
//!
//! TF-slim's (tensorflow/models, `research/slim/nets/inception_v1.py`) is the network that I3D inflates, down to its names and
//! its 3x3 kernels in `Branch_2`. torchvision's GoogLeNet (`torchvision/models/googlenet.py`) is a port of it.

use crate::network::LOGITS_PER_STEP;

/// TF-slim's name of a unit, without `InceptionV1/`.
pub(super) fn slim(unit: &str) -> String {
    unit.replace("Conv3d", "Conv2d")
}

/// torchvision's name of a unit.
pub(super) fn torchvision(unit: &str) -> String {
    if unit == LOGITS_PER_STEP {
        return "fc".into();
    }
    let parts: Vec<&str> = unit.split('/').collect();
    let &[module, branch, conv] = parts.as_slice() else {
        return match unit {
            "Conv3d_1a_7x7" => "conv1".into(),
            "Conv3d_2b_1x1" => "conv2".into(),
            "Conv3d_2c_3x3" => "conv3".into(),
            other => other.into(),
        };
    };
    let module = module.trim_start_matches("Mixed_");
    // DeepMind counts the pool that opens a stage as its `a`; torchvision's first module is `a`.
    let (stage, letter) = module.split_at(module.len().min(1));
    let letter: String = letter.bytes().map(|b| char::from(b.saturating_sub(1))).collect();
    let module = format!("inception{stage}{letter}");
    match branch.trim_start_matches("Branch_") {
        "0" => format!("{module}.branch1"),
        // The step before is the pool.
        "3" => format!("{module}.branch4.1"),
        number => {
            let number = if number == "1" { 2 } else { 3 };
            format!("{module}.branch{number}.{}", u8::from(conv.ends_with("3x3")))
        }
    }
}

/// What torchvision calls the convolution of its unit `name`: the classifier is one itself.
pub(super) fn torchvision_convolution(name: &str) -> String {
    if name == "fc" { name.into() } else { format!("{name}.conv") }
}

/// Whether a tensor belongs to one of the two classifiers in the middle of GoogLeNet, which are there for training alone.
pub(super) fn is_auxiliary(name: &str) -> bool {
    name.split('.').rev().skip(1).any(|part| part == "aux1" || part == "aux2")
}

/// Gives the shape of a 2-D kernel (or of a matrix, which is a 1x1 kernel) an axis `at` for time. Those of five axes have
/// one; others stay, to be complained about by whoever wants five.
pub(super) fn with_time(shape: &mut Vec<usize>, at: usize) {
    match (shape.len(), at) {
        (4, _) => shape.insert(at, 1),
        (2, 0) => *shape = [&[1; 3], shape.as_slice()].concat(),
        (2, _) => shape.extend([1; 3]),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_public_files() {
        for (unit, in_slim, in_torchvision) in [
            ("Conv3d_1a_7x7", "Conv2d_1a_7x7", "conv1"),
            ("Conv3d_2c_3x3", "Conv2d_2c_3x3", "conv3"),
            ("Mixed_3b/Branch_0/Conv3d_0a_1x1", "Mixed_3b/Branch_0/Conv2d_0a_1x1", "inception3a.branch1"),
            ("Mixed_3c/Branch_1/Conv3d_0a_1x1", "Mixed_3c/Branch_1/Conv2d_0a_1x1", "inception3b.branch2.0"),
            ("Mixed_4f/Branch_1/Conv3d_0b_3x3", "Mixed_4f/Branch_1/Conv2d_0b_3x3", "inception4e.branch2.1"),
            ("Mixed_5b/Branch_2/Conv3d_0a_3x3", "Mixed_5b/Branch_2/Conv2d_0a_3x3", "inception5a.branch3.1"),
            ("Mixed_5c/Branch_3/Conv3d_0b_1x1", "Mixed_5c/Branch_3/Conv2d_0b_1x1", "inception5b.branch4.1"),
            (LOGITS_PER_STEP, "Logits/Conv2d_0c_1x1", "fc"),
        ] {
            assert_eq!((slim(unit).as_str(), torchvision(unit).as_str()), (in_slim, in_torchvision));
        }
    }

    #[test]
    fn time_is_added_where_there_is_none() {
        for (mut shape, at, want) in [
            (vec![7, 7, 3, 64], 0, vec![1, 7, 7, 3, 64]),
            (vec![64, 3, 7, 7], 2, vec![64, 3, 1, 7, 7]),
            (vec![1000, 1024], 2, vec![1000, 1024, 1, 1, 1]),
            (vec![1024, 1000], 0, vec![1, 1, 1, 1024, 1000]),
            (vec![7, 7, 7, 3, 64], 0, vec![7, 7, 7, 3, 64]),
            (vec![5], 2, vec![5]),
        ] {
            with_time(&mut shape, at);
            assert_eq!(shape, want);
        }
    }
}
