//! What the functions that describe tensors would make, built without calling them.

use super::globals::Global;
use super::object::{ArrayNode, Dtype, Id, Node, StorageNode, TensorNode};
use super::unpickle::{Fault, Machine, bounded, damage};
use crate::weights::element::Element;

/// More axes than any tensor of a network has; NumPy allows 64.
const MAX_AXES: usize = 16;

/// Keys of storages are numbers.
const MAX_KEY: usize = 256;

impl Machine<'_> {
    /// Pushes the result of calling a function.
    pub(super) fn call(&mut self, function: Id, arguments: Id) -> Result<(), Fault> {
        let global = match self.node(function) {
            Node::Global(Global::Other(_)) => return self.push(Node::Opaque(function)),
            Node::Global(global) => global.clone(),
            // A method of something that was never made.
            Node::Opaque(of) => return self.push(Node::Opaque(*of)),
            _ => return damage("calls something that is no function"),
        };
        let Node::Tuple(arguments) = self.node(arguments) else {
            return damage("calls without arguments");
        };
        // No known function has more.
        let arguments: Vec<Id> = arguments.iter().take(8).copied().collect();
        self.result(function, &global, &arguments)
    }

    fn result(&mut self, function: Id, global: &Global, arguments: &[Id]) -> Result<(), Fault> {
        match (global, arguments) {
            (Global::Dict, arguments) => self.new_dict(arguments),
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let Node::Storage(storage) = *self.node(storage) else {
                    return damage("builds a tensor of no storage");
                };
                let (shape, strides) = (self.numbers(shape)?, self.numbers(strides)?);
                if shape.len() != strides.len() {
                    return damage("builds a tensor whose shape and strides do not go together");
                }
                let offset = self.number(offset)?;
                self.push(Node::Tensor(Box::new(TensorNode { storage, offset, shape, strides })))
            }
            (Global::RebuildParameter, &[tensor, ..]) => match self.node(tensor) {
                // A tensor, or what stands for one of a kind that is not known.
                Node::Tensor(_) | Node::Opaque(_) => self.push_id(tensor),
                _ => damage("builds a parameter of no tensor"),
            },
            // Function, class, arguments, state.
            (Global::RebuildFromType, &[inner, _, arguments, ..]) => match self.node(inner) {
                Node::Global(Global::RebuildFromType) => damage("nests what describes a tensor"),
                _ => self.call(inner, arguments),
            },
            (Global::Reconstruct, _) => self.push(Node::Array(Box::default())),
            (Global::FromBuffer, &[data, dtype, shape, order, ..]) => {
                let (Node::Dtype(dtype), Node::Text(order)) = (self.node(dtype), self.node(order)) else {
                    return damage("builds an array in an unknown way");
                };
                let (dtype, fortran) = (Some(*dtype), order == "F");
                let shape = self.numbers(shape)?;
                self.push(Node::Array(Box::new(ArrayNode { shape, dtype, fortran, data: Some(data) })))
            }
            // The function that makes NumPy's array, its arguments, the array's state, and JAX's.
            (Global::JaxArray, &[inner, _, state, ..]) => match self.node(inner) {
                Node::Global(Global::Reconstruct) => {
                    let array = self.array(state)?;
                    self.push(Node::Array(Box::new(array)))
                }
                _ => self.push(Node::Opaque(function)),
            },
            (Global::Dtype, &[name, ..]) => {
                let dtype = self.dtype(name);
                self.push(Node::Dtype(dtype))
            }
            (Global::Encode, &[text, encoding, ..]) => match (self.node(text), self.node(encoding)) {
                (Node::Text(_), Node::Text(encoding)) if encoding == "latin1" => {
                    self.push(Node::Latin1(text))
                }
                _ => self.push(Node::Opaque(function)),
            },
            (Global::Other(_) | Global::Storage(_) | Global::Bfloat16 | Global::Encode, _) => {
                self.push(Node::Opaque(function))
            }
            _ => damage("calls a function with unexpected arguments"),
        }
    }

    /// A dictionary of nothing, of another one, or of pairs, as Python 2 passes them.
    fn new_dict(&mut self, arguments: &[Id]) -> Result<(), Fault> {
        let source =
            arguments.iter().copied().find(|&id| matches!(self.node(id), Node::Dict(_) | Node::List(_)));
        let Some(source) = source else { return self.push(Node::Dict(Vec::new())) };
        let Node::List(pairs) = self.node(source) else { return self.push_id(source) };
        let entries = pairs.iter().map(|&pair| match self.sequence(pair)? {
            &[key, value] => Ok((key, value)),
            _ => damage("builds a dictionary of something other than pairs"),
        });
        let entries: Vec<(Id, Id)> = entries.collect::<Result<_, _>>()?;
        // The one call whose result is larger than the instruction.
        self.copied += entries.len();
        bounded(self.copied)?;
        self.push(Node::Dict(entries))
    }

    /// Gives an object its state. Of those that describe tensors only NumPy's have one; others carry version numbers of modules, or what
    /// an unknown class keeps.
    pub(super) fn build(&mut self, object: Id, state: Id) -> Result<(), Fault> {
        let built = match self.node(object) {
            Node::Array(_) => Node::Array(Box::new(self.array(state)?)),
            // Version, byte order and what only structured types have.
            Node::Dtype(dtype) => match self.sequence(state)? {
                &[_, order, ..] => Node::Dtype(Dtype { big_endian: self.is_text(order, ">"), ..*dtype }),
                _ => return damage("gives a type an unknown state"),
            },
            _ => return Ok(()),
        };
        if let Some(node) = self.nodes.get_mut(object as usize) {
            *node = built;
        }
        Ok(())
    }

    /// `(version, shape, dtype, is_fortran, data)`.
    fn array(&self, state: Id) -> Result<ArrayNode, Fault> {
        let &[_, shape, dtype, fortran, data] = self.sequence(state)? else {
            return damage("gives an array an unknown state");
        };
        let &Node::Dtype(dtype) = self.node(dtype) else {
            return damage("gives an array no type");
        };
        let fortran = matches!(self.node(fortran), Node::Bool(true) | Node::Int(1));
        Ok(ArrayNode { shape: self.numbers(shape)?, dtype: Some(dtype), fortran, data: Some(data) })
    }

    fn dtype(&self, name: Id) -> Dtype {
        let known = |name: &str| match name.trim_start_matches(['<', '>', '=', '|']) {
            "f2" | "float16" => Some(Element::F16),
            "f4" | "float32" => Some(Element::F32),
            "f8" | "float64" => Some(Element::F64),
            "bfloat16" => Some(Element::Bf16),
            _ => None,
        };
        match self.node(name) {
            Node::Text(text) => {
                Dtype { name: Some(name), element: known(text), big_endian: text.starts_with('>') }
            }
            Node::Global(Global::Bfloat16) => {
                Dtype { name: None, element: Some(Element::Bf16), big_endian: false }
            }
            _ => Dtype { name: Some(name), element: None, big_endian: false },
        }
    }

    /// `('storage', class, key, location, count)`, in legacy files with `None` or `(key, offset, count)` behind. Whatever else is kept
    /// outside of the pickle describes no tensor.
    pub(super) fn persistent(&mut self, id: Id) -> Result<(), Fault> {
        if let Some(&storage) = self.described.get(&id) {
            return self.push(Node::Storage(storage));
        }
        let (five, view) = match self.sequence(id)? {
            [five @ .., view] if five.len() == 5 => (five, Some(*view)),
            five => (five, None),
        };
        let &[kind, class, key, _location, count] = five else {
            return match five {
                &[kind, class, ..] if self.is_text(kind, "module") => self.push(Node::Opaque(class)),
                _ => damage("refers to a storage in an unknown way"),
            };
        };
        if !self.is_text(kind, "storage") {
            return damage("refers to something other than a storage");
        }
        let &Node::Global(Global::Storage(class)) = self.node(class) else {
            return match self.node(class) {
                Node::Global(_) => self.push(Node::Opaque(class)),
                _ => damage("refers to something other than a storage"),
            };
        };
        match self.node(key) {
            Node::Text(text) if text.len() > MAX_KEY => {
                return damage(format!("refers to a storage by a key of {} bytes", text.len()));
            }
            Node::Text(_) | Node::Int(_) => {}
            _ => return damage("refers to a storage without key"),
        }
        let view = match view.map(|view| self.node(view)) {
            None | Some(Node::None) => None,
            Some(Node::Tuple(view)) => match view.as_slice() {
                &[_key, offset, count] => Some((self.number(offset)?, self.number(count)?)),
                _ => return damage("refers to a part of a storage in an unknown way"),
            },
            Some(_) => return damage("refers to a part of a storage in an unknown way"),
        };
        let storage = StorageNode { class, key, count: self.number(count)?, view };
        let index = self.storages.len() as u32;
        self.storages.push(storage);
        self.described.insert(id, index);
        self.push(Node::Storage(index))
    }

    fn is_text(&self, id: Id, wanted: &str) -> bool {
        matches!(self.node(id), Node::Text(text) if text == wanted)
    }

    fn number(&self, id: Id) -> Result<usize, Fault> {
        match *self.node(id) {
            Node::Int(n) if n >= 0 => usize::try_from(n).or_else(|_| damage(format!("has the size {n}"))),
            Node::Int(n) => damage(format!("has the negative size {n}")),
            _ => damage("has a size that is no number"),
        }
    }

    /// The numbers of a shape.
    fn numbers(&self, id: Id) -> Result<Vec<usize>, Fault> {
        let items = self.sequence(id)?;
        if items.len() > MAX_AXES {
            return damage(format!("builds a tensor of {} axes", items.len()));
        }
        items.iter().map(|&n| self.number(n)).collect()
    }

    fn sequence(&self, id: Id) -> Result<&[Id], Fault> {
        match self.node(id) {
            Node::List(items) | Node::Tuple(items) => Ok(items),
            _ => damage("has something else where a list belongs"),
        }
    }
}
