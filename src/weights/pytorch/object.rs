//! What a pickle describes: values that refer to each other by number.

use std::borrow::Cow;

use super::globals::Global;

/// Position of a value in [`Object::nodes`].
pub(super) type Id = usize;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, a float or bytes: nothing that describes a tensor.
    Other,
    Text(Cow<'a, str>),
    Tuple(Vec<Id>),
    /// A list or a set.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global<'a>),
    /// An index into [`Object::storages`].
    Storage(usize),
    Tensor(TensorNode<'a>),
}

/// A tensor: a view of a storage, counted in elements.
#[derive(Debug, Clone)]
pub(super) struct TensorNode<'a> {
    /// An index into [`Object::storages`].
    pub storage: usize,
    /// The storage's class.
    pub class: &'a str,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A storage that a pickle refers to.
#[derive(Debug, Clone)]
pub(super) struct StorageNode<'a> {
    pub class: &'a str,
    pub key: String,
    /// Elements of the whole storage.
    pub count: usize,
    /// First element and number of elements, where only a part is meant.
    pub view: Option<(usize, usize)>,
}

/// A finished pickle.
pub(super) struct Object<'a> {
    pub nodes: Vec<Node<'a>>,
    pub root: Id,
    /// Every reference to a storage, in order of appearance.
    pub storages: Vec<StorageNode<'a>>,
}

impl<'a> Object<'a> {
    pub fn root(&self) -> &Node<'a> {
        &self.nodes[self.root]
    }

    /// The entries of a dictionary in order.
    pub fn entries<'s>(&'s self, node: &'s Node<'a>) -> Option<impl Iterator<Item = (String, &'s Node<'a>)>> {
        let Node::Dict(entries) = node else { return None };
        Some(entries.iter().map(|&(key, value)| {
            let key = match &self.nodes[key] {
                Node::Text(text) => text.to_string(),
                Node::Int(number) => number.to_string(),
                other => other.describe().to_string(),
            };
            (key, &self.nodes[value])
        }))
    }

    /// The elements of a list or tuple.
    pub fn items<'s>(&'s self, node: &'s Node<'a>) -> Option<impl Iterator<Item = &'s Node<'a>>> {
        match node {
            Node::List(items) | Node::Tuple(items) => Some(items.iter().map(|&item| &self.nodes[item])),
            _ => None,
        }
    }
}

impl Node<'_> {
    pub fn describe(&self) -> &'static str {
        match self {
            Node::None => "None",
            Node::Bool(_) => "a truth value",
            Node::Int(_) => "an integer",
            Node::Other => "a number or bytes",
            Node::Text(_) => "a string",
            Node::Tuple(_) => "a tuple",
            Node::List(_) => "a list",
            Node::Dict(_) => "a dictionary",
            Node::Global(_) => "a function",
            Node::Storage(_) => "a storage",
            Node::Tensor(_) => "a single tensor",
        }
    }
}
