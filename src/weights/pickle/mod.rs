//! Python pickles, interpreted without running anything: what PyTorch's files describe tensors with, and what NumPy arrays
//! are saved as.
//!
//! A pickle becomes an [`Object`], a list of values that refer to each other by number; [`tree`] finds the tensors in it and
//! the names they have.

mod array;
mod calls;
mod globals;
mod object;
mod opcodes;
mod tree;
mod unpickle;

pub(super) use object::{Node, Object, StorageNode};
pub(super) use tree::{Found, collect};
pub(super) use unpickle::unpickle;

use super::Tensor;
use super::cursor::{Cursor, Problem};

/// Whether the bytes start as a pickle of protocol 2 to 5 does.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

/// Reads a pickle of dictionaries of NumPy arrays, as Flax's models are saved.
pub(super) fn read(bytes: &[u8]) -> Result<Found, Problem> {
    let mut cursor = Cursor::new(bytes);
    let object = unpickle(&mut cursor)?;
    if !object.storages.is_empty() {
        return Err(
            "is a pickle of PyTorch's tensors without their numbers: give the whole file that torch.save wrote".into()
        );
    }
    if !object.has_arrays() {
        let problem = tree::without_tensors(&object);
        return Err(format!("is a Python pickle that {problem} with torch.save"));
    }
    collect(&object, bytes.len(), |_| Err("has no numbers".into()))
}

/// The numbers of a node that is a tensor or an array.
///
/// `budget` is how many numbers may still be read; a storage's bytes come from `storage`.
fn gather<'s>(
    object: &Object,
    node: &Node,
    budget: &mut usize,
    storage: &mut impl FnMut(&StorageNode) -> Result<&'s [u8], Problem>,
) -> Result<Tensor, Problem> {
    match node {
        Node::Tensor(tensor) => array::from_storage(object, tensor, budget, storage),
        Node::Array(array) => array::from_numpy(object, array, budget),
        other => Err(format!("is {}, expected a tensor", other.describe())),
    }
}
