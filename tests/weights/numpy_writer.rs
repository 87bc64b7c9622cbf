//! A writer of pickled NumPy arrays in dictionaries, as Flax's models are saved, for tests.

use std::collections::BTreeMap;

use i3d::weights::Tensor;

use super::Tensors;
use super::pickle::{Pickle, Style};

/// How arrays are written.
#[derive(Clone, Copy, Debug)]
pub struct Arrays {
    /// Pickle protocol.
    pub protocol: u8,
    /// NumPy's name for the type, such as `f4`.
    pub descr: &'static str,
    /// `<` or `>`.
    pub order: &'static str,
    /// Whether the first axis runs fastest.
    pub fortran: bool,
    /// NumPy 2's modules.
    pub numpy_2: bool,
    /// JAX's wrapper around NumPy's array.
    pub jax: bool,
    /// What the dictionaries are: plain ones, or Flax's frozen ones.
    pub frozen: bool,
}

impl Default for Arrays {
    fn default() -> Arrays {
        Arrays {
            protocol: 4,
            descr: "f4",
            order: "<",
            fortran: false,
            numpy_2: false,
            jax: false,
            frozen: false,
        }
    }
}

/// A dictionary of dictionaries of arrays.
pub enum Tree {
    Array(Tensor),
    Dict(BTreeMap<String, Tree>),
    /// Any other value, pickled.
    Raw(Vec<u8>),
}

impl Tree {
    pub fn empty() -> Tree {
        Tree::Dict(BTreeMap::new())
    }

    /// Puts a value under a path of keys.
    pub fn put(&mut self, path: &str, value: Tree) {
        let Tree::Dict(entries) = self else { panic!("no dictionary on the way to {path}") };
        match path.split_once('/') {
            None => drop(entries.insert(path.into(), value)),
            Some((key, rest)) => entries.entry(key.into()).or_insert_with(Tree::empty).put(rest, value),
        }
    }
}

/// The network's variables as Flax has them.
pub fn tree(tensors: &Tensors) -> Tree {
    let mut tree = Tree::empty();
    for (name, tensor) in tensors {
        let (unit, variable) = name.rsplit_once('/').unwrap();
        // DeepMind's one irregular name is regular there.
        let unit = unit.rsplit_once('/').unwrap().0.replace("Conv3d_0a_3x3", "Conv3d_0b_3x3");
        let (collection, flax) = match variable {
            "w" => ("params", "Conv_0/kernel"),
            "b" => ("params", "Conv_0/bias"),
            "beta" => ("params", "BatchNorm_0/bias"),
            "moving_mean" => ("batch_stats", "BatchNorm_0/mean"),
            _ => ("batch_stats", "BatchNorm_0/var"),
        };
        let mut tensor = tensor.clone();
        if collection == "batch_stats" {
            tensor.shape = [vec![1; 4], tensor.shape].concat();
        }
        tree.put(&format!("{collection}/{unit}/{flax}"), Tree::Array(tensor));
    }
    tree
}

/// The pickle of a tree.
pub fn file(tree: &Tree, arrays: Arrays) -> Vec<u8> {
    let mut p = Pickle::new(arrays.protocol, Style::Python3);
    write(&mut p, tree, arrays);
    p.0.push(b'.');
    p.0
}

fn write(p: &mut Pickle, tree: &Tree, arrays: Arrays) {
    match tree {
        Tree::Array(tensor) => array(p, tensor, arrays),
        Tree::Raw(value) => p.0.extend(value),
        Tree::Dict(entries) => {
            if arrays.frozen {
                p.global("flax.core.frozen_dict", "FrozenDict");
            }
            p.0.extend(b"}(");
            for (key, value) in entries {
                p.text(key);
                write(p, value, arrays);
            }
            p.0.push(b'u');
            if arrays.frozen {
                p.0.extend(b"\x85R");
            }
        }
    }
}

fn array(p: &mut Pickle, tensor: &Tensor, arrays: Arrays) {
    let module = |name: &str| match arrays.numpy_2 {
        true => format!("numpy._core.{name}"),
        false => format!("numpy.core.{name}"),
    };
    if arrays.protocol >= 5 {
        p.global(&module("numeric"), "_frombuffer");
        p.0.extend([&b"("[..], &[0x96]].concat());
        let bytes = values(tensor, arrays);
        p.0.extend((bytes.len() as u64).to_le_bytes());
        p.0.extend(bytes);
        dtype(p, arrays);
        shape(p, &tensor.shape);
        p.text(if arrays.fortran { "F" } else { "C" });
        p.0.extend(b"tR");
        return;
    }
    if arrays.jax {
        p.global("jax._src.array", "_reconstruct_array");
        p.0.push(b'(');
        p.global(&module("multiarray"), "_reconstruct");
    } else {
        p.global(&module("multiarray"), "_reconstruct");
    }
    p.global("numpy", "ndarray");
    p.0.extend(b"K\0\x85");
    data(p, b"b", arrays);
    p.0.push(0x87);
    if !arrays.jax {
        p.0.push(b'R');
    }
    p.0.extend(b"(K\x01");
    shape(p, &tensor.shape);
    dtype(p, arrays);
    p.0.push(if arrays.fortran { 0x88 } else { 0x89 });
    data(p, &values(tensor, arrays), arrays);
    p.0.push(b't');
    // JAX's own state.
    p.0.extend(if arrays.jax { &b"}tR"[..] } else { b"b" });
}

fn shape(p: &mut Pickle, shape: &[usize]) {
    p.0.push(b'(');
    shape.iter().for_each(|&n| p.int(n));
    p.0.push(b't');
}

fn dtype(p: &mut Pickle, arrays: Arrays) {
    p.global("numpy", "dtype");
    p.text(arrays.descr);
    p.0.extend(b"\x89\x88\x87R(K\x03");
    p.text(arrays.order);
    p.0.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb");
}

/// Bytes, which protocol 2 writes as text.
fn data(p: &mut Pickle, bytes: &[u8], arrays: Arrays) {
    if arrays.protocol >= 3 {
        p.0.push(b'B');
        p.0.extend((bytes.len() as u32).to_le_bytes());
        return p.0.extend(bytes);
    }
    p.global("_codecs", "encode");
    let text: String = bytes.iter().map(|&b| char::from(b)).collect();
    p.text(&text);
    p.text("latin1");
    p.0.extend(b"\x86R");
}

/// The values in the order and the type that `arrays` says.
fn values(tensor: &Tensor, arrays: Arrays) -> Vec<u8> {
    let shape = &tensor.shape;
    let count = tensor.data.len();
    let index = |mut at: usize| {
        if !arrays.fortran {
            return at;
        }
        // The position counts the first axis fastest.
        let mut index = 0;
        for axis in 0..shape.len() {
            let stride: usize = shape[axis + 1..].iter().product();
            index += (at % shape[axis]) * stride;
            at /= shape[axis];
        }
        index
    };
    let mut bytes = Vec::new();
    for at in 0..count {
        let value = tensor.data[index(at)];
        let mut number: Vec<u8> = match arrays.descr {
            "f8" => f64::from(value).to_le_bytes().to_vec(),
            "f2" => half::f16::from_f32(value).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        };
        if arrays.order == ">" {
            number.reverse();
        }
        bytes.extend(number);
    }
    bytes
}
