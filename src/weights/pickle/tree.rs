//! The tensors of a pickled object and their names.
//!
//! What people save is a dictionary of tensors, or one that holds such dictionaries: a state dict beside an epoch, an
//! optimizer and a second copy of the weights, or Flax's modules inside modules. A tensor's name is the keys on the way to it,
//! and [`names::choose`] finds the network among all names.

use std::borrow::Cow;
use std::collections::HashSet;

use super::gather;
use super::object::{Id, Node, Object, StorageNode};
use crate::weights::cursor::{Problem, short};
use crate::weights::{Tensor, names};

/// Source tensors under their own names, and the names of those left out.
pub(in crate::weights) type Found = (Vec<(String, Tensor)>, Vec<String>);

/// Dictionaries in dictionaries, as deep as any module.
const MAX_DEPTH: usize = 32;

/// No real key is nearly as long.
const MAX_KEY: usize = 1024;

/// A file's tensors; a real training checkpoint has a few thousand.
const MAX_TENSORS: usize = 65_536;

/// Bytes that all names may have together, since a file may use a long one again and again.
const MAX_NAMES: usize = 32 << 20;

/// What lies beside the tensors is listed up to here.
const MAX_SKIPPED: usize = 4096;

/// All that a pickled object holds.
#[derive(Default)]
struct Tree {
    /// Names and values of tensors and arrays.
    tensors: Vec<(String, Id)>,
    /// Names of what is neither.
    others: Vec<String>,
}

/// The tensors of the network that a pickled object holds. `file_length` bounds what they may claim; the bytes of a storage
/// come from `storage`.
pub(in crate::weights) fn collect<'s>(
    object: &Object,
    file_length: usize,
    mut storage: impl FnMut(&StorageNode) -> Result<&'s [u8], Problem>,
) -> Result<Found, Problem> {
    let Tree { tensors, others } = tree(object)?;
    if tensors.is_empty() {
        return Err(without_tensors(object));
    }
    let network = names::choose(tensors.iter().map(|(name, _)| name.as_str()))?;
    let mut budget = file_length;
    let mut skipped = others;
    let mut found = Vec::new();
    for (name, id) in tensors {
        // Counters and the like have types that no weight has.
        let counts = !network.knows(&name) && !object.is_float(id);
        if names::is_bookkeeping(&name) || !network.contains(&name) || counts {
            skipped.push(name);
            continue;
        }
        // Where nothing has a known name, a few tensors are enough to say what was found instead.
        if network.is_unknown() && found.len() >= 3 {
            break;
        }
        match gather(object, object.node(id), &mut budget, &mut storage) {
            Ok(tensor) => found.push((name, tensor)),
            Err(problem) => return Err(format!("tensor {} {problem}", short(&name))),
        }
    }
    Ok((found, skipped))
}

/// Every tensor, the first name of each container being its only one: what is shared, and what contains itself, is visited once.
fn tree(object: &Object) -> Result<Tree, Problem> {
    let mut tree = Tree::default();
    let mut seen = HashSet::new();
    let mut todo = vec![(String::new(), object.root, 0)];
    let mut names = 0;
    while let Some((prefix, id, depth)) = todo.pop() {
        if !seen.insert(id) {
            continue;
        }
        let mut inner = Vec::new();
        let mut visit = |key: Cow<str>, value: Id| -> Result<(), Problem> {
            let container = matches!(object.node(value), Node::Dict(_) | Node::List(_) | Node::Tuple(_));
            let tensor = matches!(object.node(value), Node::Tensor(_) | Node::Array(_));
            if !container && !tensor && tree.others.len() >= MAX_SKIPPED {
                return Ok(());
            }
            if key.len() > MAX_KEY {
                return match tensor {
                    true => Err(format!(
                        "has a tensor name of more than {MAX_KEY} bytes ({}): this is no I3D checkpoint",
                        short(&key)
                    )),
                    false => Ok(()),
                };
            }
            let name = match prefix.is_empty() {
                true => key.into_owned(),
                false => format!("{prefix}/{key}"),
            };
            names += name.len();
            if names > MAX_NAMES {
                return Err(format!("has more than {MAX_NAMES} bytes of names: this is no I3D checkpoint"));
            }
            match (container, tensor) {
                (true, _) if depth < MAX_DEPTH && name.len() <= MAX_KEY => {
                    inner.push((name, value, depth + 1))
                }
                (_, true) if tree.tensors.len() >= MAX_TENSORS => {
                    return Err(format!("holds more than {MAX_TENSORS} tensors: this is no I3D checkpoint"));
                }
                (_, true) => tree.tensors.push((name, value)),
                _ => tree.others.push(name),
            }
            Ok(())
        };
        match object.node(id) {
            Node::Dict(entries) => {
                entries.iter().try_for_each(|&(key, value)| visit(object.name(key), value))?;
            }
            Node::List(items) | Node::Tuple(items) => {
                // Lists of numbers are long, those of models are not.
                let few = items.iter().take(64).enumerate();
                few.into_iter().try_for_each(|(index, &value)| visit(index.to_string().into(), value))?;
            }
            _ => {}
        }
        // In the order of the file.
        todo.extend(inner.into_iter().rev());
    }
    Ok(tree)
}

/// What an object is that holds no tensor.
pub(super) fn without_tensors(object: &Object) -> Problem {
    let Some(entries) = object.entries(object.root) else {
        return format!(
            "holds {}, expected a dictionary of tensors: save the model's state_dict()",
            object.describe(object.root)
        );
    };
    if entries.is_empty() {
        return "holds an empty dictionary, expected one of tensors: save the model's state_dict()".into();
    }
    // A model that was saved whole is an object of its class.
    let of_class =
        entries.iter().map(|&(_, value)| value).find(|&value| matches!(object.node(value), Node::Opaque(_)));
    let class = of_class.map(|value| format!(" and {}", object.describe(value))).unwrap_or_default();
    let keys: Vec<_> =
        entries.iter().take(5).map(|&(key, _)| short(&object.name(key)).into_owned()).collect();
    format!(
        "holds a dictionary without tensors (its keys start with {}){class}: save the model's state_dict()",
        keys.join(", ")
    )
}
