//! PyTorch's files: pickled descriptions of tensors beside raw storages, as a legacy stream or as a zip.
//!
//! The pickles are interpreted by [`unpickle`], which runs nothing.

mod globals;
mod legacy;
mod object;
mod opcodes;
mod unpickle;
mod zip_file;

pub(super) use legacy::{is_legacy, read as read_legacy};
pub(super) use zip_file::read as read_zip;

use super::Tensor;
use super::cursor::Problem;
use super::element::{Element, elements};
use super::names;
use object::{Node, Object, TensorNode};

/// Source tensors under their own names, and the names of those left out.
pub(super) type Found = (Vec<(String, Tensor)>, Vec<String>);

/// How a storage class's elements are stored.
pub(super) struct StorageType {
    pub size: usize,
    /// `None` for integers, which no weight is.
    pub element: Option<Element>,
}

/// The storage classes of PyTorch; `None` for any other name.
pub(super) fn storage_type(class: &str) -> Option<StorageType> {
    let (size, element) = match class {
        "FloatStorage" => (4, Some(Element::F32)),
        "DoubleStorage" => (8, Some(Element::F64)),
        "HalfStorage" => (2, Some(Element::F16)),
        "BFloat16Storage" => (2, Some(Element::Bf16)),
        "LongStorage" => (8, None),
        "IntStorage" => (4, None),
        "ShortStorage" => (2, None),
        "CharStorage" | "ByteStorage" | "BoolStorage" => (1, None),
        _ => return None,
    };
    Some(StorageType { size, element })
}

/// Dictionary keys under which people store the state dict when they save more than that.
const WRAPPERS: [&str; 6] = ["state_dict", "model_state_dict", "model_state", "model", "net", "weights"];

/// The tensors of a pickled object, the bytes of its `i`th storage being `storages[i]`; `file_length` bounds what they
/// may claim.
fn collect(object: &Object, storages: &[&[u8]], file_length: usize) -> Result<Found, Problem> {
    let mut skipped = Vec::new();
    let mut tensors = Vec::new();
    // Shared and expanded storages are legitimate, a tensor of terabytes over one float is not.
    let mut budget = file_length.saturating_mul(2);
    for (name, value) in state_dict(object, &mut skipped)? {
        let Node::Tensor(tensor) = value else {
            skipped.push(name);
            continue;
        };
        if names::is_bookkeeping(&name) {
            skipped.push(name);
            continue;
        }
        let at = |problem: Problem| format!("tensor {name} {problem}");
        let tensor = gather(tensor, storages, &mut budget).map_err(at)?;
        tensors.push((name, tensor));
    }
    Ok((tensors, skipped))
}

/// The entries of the dictionary that holds the tensors; what lies beside it is reported as skipped.
fn state_dict<'a>(
    object: &'a Object,
    skipped: &mut Vec<String>,
) -> Result<Vec<(String, &'a Node<'a>)>, Problem> {
    let mut dict = object.root();
    // `{'state_dict': {'model': {...}}}` is about as deep as it gets.
    for _ in 0..4 {
        let Some(entries) = object.entries(dict) else {
            return Err(format!(
                "holds {}, expected a dictionary of tensors: save the model's state_dict()",
                dict.describe()
            ));
        };
        let entries: Vec<(String, &Node)> = entries.collect();
        if entries.is_empty() {
            return Err(
                "holds an empty dictionary, expected one of tensors: save the model's state_dict()".into()
            );
        }
        if entries.iter().any(|(_, value)| matches!(value, Node::Tensor(_))) {
            return Ok(entries);
        }
        let inner = WRAPPERS.iter().find_map(|&wrapper| {
            entries.iter().find(|(name, value)| name == wrapper && object.entries(value).is_some())
        });
        let Some(&(ref chosen, value)) = inner else {
            let keys: Vec<&str> = entries.iter().take(5).map(|(name, _)| name.as_str()).collect();
            return Err(format!(
                "holds a dictionary without tensors (its keys start with {}): save the model's state_dict()",
                keys.join(", ")
            ));
        };
        skipped.extend(entries.iter().map(|(name, _)| name).filter(|&name| name != chosen).cloned());
        dict = value;
    }
    Err("nests dictionaries too deeply: save the model's state_dict()".into())
}

/// A contiguous copy of a tensor's elements; `budget` is how many may still be read.
fn gather(tensor: &TensorNode, storages: &[&[u8]], budget: &mut usize) -> Result<Tensor, Problem> {
    let TensorNode { storage, class, offset, shape, strides } = tensor;
    let element = storage_type(class).and_then(|kind| kind.element).ok_or_else(|| {
        format!("is of torch.{class}; weights are FloatStorage (Double, Half and BFloat16 are read too)")
    })?;
    let bytes = storages.get(*storage).copied().unwrap_or_default();
    let misfit = || {
        format!(
            "of shape {shape:?} and strides {strides:?} from element {offset} does not fit its storage of {} bytes: \
             the file is damaged, download it again",
            bytes.len()
        )
    };
    let count = elements(shape).ok_or_else(misfit)?;
    if count == 0 {
        return Ok(Tensor { shape: shape.clone(), data: Vec::new() });
    }
    let reach = shape
        .iter()
        .zip(strides)
        .try_fold(1usize, |reach, (&n, &stride)| reach.checked_add((n - 1).checked_mul(stride)?))
        .ok_or_else(misfit)?;
    let end =
        reach.checked_add(*offset).and_then(|end| end.checked_mul(element.size())).ok_or_else(misfit)?;
    let viewed = bytes.get(offset * element.size()..end).ok_or_else(misfit)?;
    *budget = budget.checked_sub(count.max(reach)).ok_or_else(|| {
        format!("of shape {shape:?} is more than the file can hold: the file is damaged, download it again")
    })?;
    let values = element.to_f32(viewed);
    let data = if is_contiguous(shape, strides) { values } else { strided(&values, shape, strides, count) };
    Ok(Tensor { shape: shape.clone(), data })
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&n, &stride)| {
        let matches = n == 1 || stride == expected;
        expected *= n;
        matches
    })
}

/// Elements in row-major order; `values` reaches to the last of them.
fn strided(values: &[f32], shape: &[usize], strides: &[usize], count: usize) -> Vec<f32> {
    let mut data = Vec::with_capacity(count);
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    for _ in 0..count {
        data.push(values[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            // An axis of length one may have any stride, so sums may wrap on the way; they come back.
            at = at.wrapping_add(strides[axis]);
            if index[axis] < shape[axis] {
                break;
            }
            at = at.wrapping_sub(index[axis].wrapping_mul(strides[axis]));
            index[axis] = 0;
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::{is_contiguous, strided};

    #[test]
    fn strides_are_followed() {
        let values: Vec<f32> = (0..6).map(|x| x as f32).collect();
        assert!(is_contiguous(&[2, 3], &[3, 1]));
        assert!(is_contiguous(&[1, 6], &[99, 1]));
        assert!(!is_contiguous(&[3, 2], &[1, 3]));
        assert_eq!(strided(&values, &[3, 2], &[1, 3], 6), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(strided(&values, &[2, 2], &[0, 1], 4), [0.0, 1.0, 0.0, 1.0]);
    }
}
