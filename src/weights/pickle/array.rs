//! The numbers of tensors and arrays, in row-major order.

use std::borrow::Cow;

use super::object::{ArrayNode, Node, Object, StorageNode, TensorNode};
use crate::weights::Tensor;
use crate::weights::cursor::{Problem, short};
use crate::weights::element::elements;

/// A copy of a PyTorch tensor's elements; `budget` is how many may still be read.
pub(super) fn from_storage<'s>(
    object: &Object,
    tensor: &TensorNode,
    budget: &mut usize,
    storage: &mut impl FnMut(&StorageNode) -> Result<&'s [u8], Problem>,
) -> Result<Tensor, Problem> {
    let TensorNode { storage: index, offset, shape, strides } = tensor;
    let node = object.storages.get(*index as usize).ok_or("has no storage")?;
    let element = node.class.element.ok_or_else(|| {
        format!(
            "is of torch.{}; weights are FloatStorage (Double, Half and BFloat16 are read too)",
            node.class.name
        )
    })?;
    let count = elements(shape).ok_or_else(|| format!("has the impossible shape {shape:?}"))?;
    if count == 0 {
        return Ok(Tensor { shape: shape.clone(), data: Vec::new() });
    }
    let bytes = storage(node)?;
    let misfit = || {
        format!(
            "of shape {shape:?} and strides {strides:?} from element {offset} does not fit its storage of {} bytes: \
             the file is damaged, download it again",
            bytes.len()
        )
    };
    let reach = shape
        .iter()
        .zip(strides)
        .try_fold(1usize, |reach, (&n, &stride)| reach.checked_add((n - 1).checked_mul(stride)?))
        .ok_or_else(misfit)?;
    let end =
        reach.checked_add(*offset).and_then(|end| end.checked_mul(element.size())).ok_or_else(misfit)?;
    let viewed = bytes.get(offset * element.size()..end).ok_or_else(misfit)?;
    spend(budget, count.max(reach), shape)?;
    let values = element.to_f32(viewed, false);
    let data = if is_contiguous(shape, strides) { values } else { strided(&values, shape, strides, count) };
    Ok(Tensor { shape: shape.clone(), data })
}

/// A copy of a NumPy array's elements.
pub(super) fn from_numpy(object: &Object, array: &ArrayNode, budget: &mut usize) -> Result<Tensor, Problem> {
    let ArrayNode { shape, dtype, fortran, data } = array;
    let (Some(dtype), Some(data)) = (dtype, data) else {
        return Err("is an array that was begun and never filled".into());
    };
    let element = dtype.element.ok_or_else(|| {
        let name = dtype.name.map(|id| object.name(id)).unwrap_or_default();
        let what = match &*name {
            name if name.starts_with('O') => "Python objects, which this reader never makes".into(),
            name => format!("elements of NumPy's type `{}`", short(name)),
        };
        format!("is an array of {what}; weights are float32 (float16, bfloat16 and float64 are read too)")
    })?;
    let bytes: Cow<[u8]> = match object.node(*data) {
        Node::Bytes(bytes) => Cow::Borrowed(bytes),
        Node::Latin1(text) => match object.node(*text) {
            Node::Text(text) => Cow::Owned(latin1(text, budget)?),
            _ => return Err("is an array without numbers".into()),
        },
        other => {
            return Err(format!(
                "is an array whose numbers are {}, expected bytes: save it again with Python 3",
                other.describe()
            ));
        }
    };
    let count = elements(shape);
    if count.and_then(|n| n.checked_mul(element.size())) != Some(bytes.len()) {
        return Err(format!(
            "has {} bytes, which is not what shape {shape:?} of elements of {} takes: the file is damaged, download it again",
            bytes.len(),
            element.size()
        ));
    }
    let count = count.unwrap_or(0);
    spend(budget, count, shape)?;
    let values = element.to_f32(&bytes, dtype.big_endian);
    if !fortran || shape.len() < 2 || count == 0 {
        return Ok(Tensor { shape: shape.clone(), data: values });
    }
    let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[..axis].iter().product()).collect();
    Ok(Tensor { shape: shape.clone(), data: strided(&values, shape, &strides, count) })
}

/// Shared and expanded storages are legitimate, a tensor of terabytes over one float is not.
fn spend(budget: &mut usize, count: usize, shape: &[usize]) -> Result<(), Problem> {
    *budget = budget.checked_sub(count).ok_or_else(|| {
        format!("of shape {shape:?} is more than the file can hold: the file is damaged, download it again")
    })?;
    Ok(())
}

/// Bytes that were written as characters.
fn latin1(text: &str, budget: &mut usize) -> Result<Vec<u8>, Problem> {
    spend(budget, text.len(), &[])?;
    let byte = |c: char| u8::try_from(u32::from(c)).map_err(|_| "is an array whose bytes are damaged".into());
    text.chars().map(byte).collect()
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
