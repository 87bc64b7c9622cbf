//! What a pickle describes: values that refer to each other by number.

use std::borrow::Cow;

use super::globals::Global;
use crate::weights::cursor::short;
use crate::weights::element::Element;

/// Position of a value in [`Object::nodes`].
pub(in crate::weights) type Id = u32;

/// A value. Texts and bytes are those of the file, not copies, so that a value costs the same however often it is used.
#[derive(Debug, Clone)]
pub(in crate::weights) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, or a float: nothing that describes a tensor.
    Number,
    Bytes(&'a [u8]),
    /// Bytes that are written as the text of that number, one character each.
    Latin1(Id),
    Text(Cow<'a, str>),
    Tuple(Vec<Id>),
    /// A list or a set.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global<'a>),
    /// What a call of that function would give.
    Opaque(Id),
    /// An index into [`Object::storages`].
    Storage(u32),
    Tensor(Box<TensorNode>),
    Array(Box<ArrayNode>),
    Dtype(Dtype),
}

/// A class of storages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) struct StorageClass {
    pub name: &'static str,
    /// Bytes of an element.
    pub size: usize,
    /// `None` for what no weight is.
    pub element: Option<Element>,
}

impl StorageClass {
    /// PyTorch's class of that name.
    pub fn named(name: &str) -> Option<StorageClass> {
        const fn class(name: &'static str, size: usize, element: Option<Element>) -> StorageClass {
            StorageClass { name, size, element }
        }
        const CLASSES: [StorageClass; 18] = [
            class("FloatStorage", 4, Some(Element::F32)),
            class("DoubleStorage", 8, Some(Element::F64)),
            class("HalfStorage", 2, Some(Element::F16)),
            class("BFloat16Storage", 2, Some(Element::Bf16)),
            class("LongStorage", 8, None),
            class("IntStorage", 4, None),
            class("ShortStorage", 2, None),
            class("CharStorage", 1, None),
            class("ByteStorage", 1, None),
            class("BoolStorage", 1, None),
            class("ComplexFloatStorage", 8, None),
            class("ComplexDoubleStorage", 16, None),
            class("QInt8Storage", 1, None),
            class("QUInt8Storage", 1, None),
            class("QInt32Storage", 4, None),
            class("QUInt4x2Storage", 1, None),
            class("QUInt2x4Storage", 1, None),
            class("UntypedStorage", 1, None),
        ];
        CLASSES.into_iter().find(|class| class.name == name)
    }
}

/// A tensor: a view of a storage, counted in elements.
#[derive(Debug, Clone)]
pub(in crate::weights) struct TensorNode {
    /// An index into [`Object::storages`].
    pub storage: u32,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A storage that a pickle refers to.
#[derive(Debug, Clone)]
pub(in crate::weights) struct StorageNode {
    pub class: StorageClass,
    /// The text or number that names it.
    pub key: Id,
    /// Elements of the whole storage.
    pub count: usize,
    /// First element and number of elements, where only a part is meant.
    pub view: Option<(usize, usize)>,
}

/// A NumPy array.
#[derive(Debug, Clone, Default)]
pub(in crate::weights) struct ArrayNode {
    pub shape: Vec<usize>,
    /// Known when its state is.
    pub dtype: Option<Dtype>,
    /// Whether the first axis runs fastest.
    pub fortran: bool,
    /// The bytes, or something else.
    pub data: Option<Id>,
}

/// The type of an array's elements.
#[derive(Debug, Clone, Copy)]
pub(in crate::weights) struct Dtype {
    /// The text that names it; `None` for bfloat16 by its class.
    pub name: Option<Id>,
    /// `None` for what no weight is.
    pub element: Option<Element>,
    pub big_endian: bool,
}

/// A finished pickle.
pub(in crate::weights) struct Object<'a> {
    pub nodes: Vec<Node<'a>>,
    pub root: Id,
    /// Every reference to a storage, in order of appearance.
    pub storages: Vec<StorageNode>,
}

impl<'a> Object<'a> {
    /// Whether there is any array in it.
    pub fn has_arrays(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Array(_)))
    }

    /// Whether a tensor or array has elements that weights may have.
    pub fn is_float(&self, id: Id) -> bool {
        match self.node(id) {
            Node::Tensor(tensor) => {
                let storage = self.storages.get(tensor.storage as usize);
                storage.is_some_and(|storage| storage.class.element.is_some())
            }
            Node::Array(array) => array.dtype.is_some_and(|dtype| dtype.element.is_some()),
            _ => false,
        }
    }

    /// The value of that number.
    pub fn node(&self, id: Id) -> &Node<'a> {
        self.nodes.get(id as usize).unwrap_or(&Node::None)
    }

    /// The entries of a dictionary in order.
    pub fn entries(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.node(id) {
            Node::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements of a list or tuple.
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.node(id) {
            Node::List(items) | Node::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// A key as text.
    pub fn name(&self, key: Id) -> Cow<'_, str> {
        match self.node(key) {
            Node::Text(text) => Cow::Borrowed(text),
            Node::Int(number) => Cow::Owned(number.to_string()),
            other => Cow::Borrowed(other.describe()),
        }
    }

    /// What a value is, for messages.
    pub fn describe(&self, id: Id) -> String {
        let node = self.node(id);
        let name = match node {
            Node::Global(global) => global.name(),
            Node::Opaque(function) => match self.node(*function) {
                Node::Global(global) => global.name(),
                _ => None,
            },
            _ => None,
        };
        match name {
            Some(name) => {
                format!("an object of the Python global `{}`, which this reader never runs", short(&name))
            }
            None => node.describe().into(),
        }
    }
}

impl Node<'_> {
    pub fn describe(&self) -> &'static str {
        match self {
            Node::None => "None",
            Node::Bool(_) => "a truth value",
            Node::Int(_) => "an integer",
            Node::Number => "a number",
            Node::Bytes(_) | Node::Latin1(_) => "bytes",
            Node::Text(_) => "a string",
            Node::Tuple(_) => "a tuple",
            Node::List(_) => "a list",
            Node::Dict(_) => "a dictionary",
            Node::Global(_) => "a function",
            Node::Opaque(_) => "an object",
            Node::Storage(_) => "a storage",
            Node::Tensor(_) => "a single tensor",
            Node::Array(_) => "a single array",
            Node::Dtype(_) => "a type",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn a_value_is_small() {
        // A pickle may have a million of them in as many bytes.
        assert!(size_of::<Node>() <= 32, "{}", size_of::<Node>());
    }
}
