//! A pickle interpreter that runs nothing.
//!
//! A pickle is a program for a small stack machine whose instructions may call any Python function. This machine knows
//! the few functions that describe tensors, and builds their results itself; every other name is an error. Values live
//! in one list and refer to each other by position, so that neither cycles nor deep nesting can hurt.

use std::borrow::Cow;
use std::collections::HashMap;

use super::globals::{Global, forbidden, global};
use super::object::{Id, Node, Object, StorageNode, TensorNode};
use super::opcodes as op;
use crate::weights::cursor::{Cursor, Problem};

/// The largest real checkpoint needs about ten thousand values.
const MAX_VALUES: usize = 1_000_000;

/// Interprets the pickle at the cursor up to its end.
pub(super) fn unpickle<'a>(cursor: &mut Cursor<'a>) -> Result<Object<'a>, Problem> {
    let mut machine = Machine::default();
    loop {
        let at = cursor.position();
        let code = cursor.u8()?;
        if code == op::STOP {
            let root = machine.pop().map_err(|problem| damaged(at, &problem))?;
            return Ok(Object { nodes: machine.nodes, root, storages: machine.storages });
        }
        machine.step(code, cursor).map_err(|problem| match problem {
            Fault::Sentence(sentence) => sentence,
            Fault::Damage(what) => damaged(at, &what),
        })?;
    }
}

fn damaged(at: usize, what: &str) -> Problem {
    format!("is damaged: its pickle {what} at byte {at}; download it again")
}

/// Why an instruction failed.
enum Fault {
    /// A whole sentence.
    Sentence(Problem),
    /// What a damaged pickle does, to be completed by where.
    Damage(String),
}

impl From<Problem> for Fault {
    fn from(sentence: Problem) -> Self {
        Fault::Sentence(sentence)
    }
}

fn damage<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Damage(what.into()))
}

#[derive(Default)]
struct Machine<'a> {
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack where a mark was set.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    storages: Vec<StorageNode<'a>>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, code: u8, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        match code {
            op::PROTO => match cursor.u8()? {
                0..=5 => Ok(()),
                version => {
                    Err(Fault::Sentence(format!("is a pickle of protocol {version}; 2 to 5 are known")))
                }
            },
            // Frames only help to read ahead.
            op::FRAME => cursor.u64().map(drop).map_err(Fault::from),
            op::MARK => {
                self.bounded(self.marks.len())?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP => {
                // Python's machine keeps marks on the stack, so popping one is legal.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                    return Ok(());
                }
                self.take().map(drop)
            }
            op::POP_MARK => self.marked().map(drop),
            op::DUP => {
                let top = self.top()?;
                self.push_id(top)
            }

            op::NONE => self.push(Node::None),
            op::NEWTRUE => self.push(Node::Bool(true)),
            op::NEWFALSE => self.push(Node::Bool(false)),
            op::BININT => {
                let value = cursor.i32()?;
                self.push(Node::Int(value.into()))
            }
            op::BININT1 => {
                let value = cursor.u8()?;
                self.push(Node::Int(value.into()))
            }
            op::BININT2 => {
                let value = cursor.u16()?;
                self.push(Node::Int(value.into()))
            }
            op::INT | op::LONG => {
                let number = decimal(cursor.line()?);
                self.push(number)
            }
            op::LONG1 => {
                let length = cursor.u8()?;
                let number = long(cursor.take(length.into())?);
                self.push(number)
            }
            op::LONG4 => {
                let length = cursor.u32()?;
                let number = long(cursor.take_long(length.into())?);
                self.push(number)
            }
            op::FLOAT => cursor.line().map_err(Fault::from).and_then(|_| self.push(Node::Other)),
            op::BINFLOAT => cursor.f64_big_endian().map_err(Fault::from).and_then(|_| self.push(Node::Other)),
            op::SHORT_BINSTRING | op::SHORT_BINUNICODE => {
                let length = cursor.u8()?;
                self.text(cursor.take(length.into())?)
            }
            op::BINSTRING | op::BINUNICODE => {
                let length = cursor.u32()?;
                self.text(cursor.take_long(length.into())?)
            }
            op::BINUNICODE8 => {
                let length = cursor.u64()?;
                self.text(cursor.take_long(length)?)
            }
            op::SHORT_BINBYTES => {
                let length = cursor.u8()?;
                cursor.take(length.into())?;
                self.push(Node::Other)
            }
            op::BINBYTES => {
                let length = cursor.u32()?;
                cursor.take_long(length.into())?;
                self.push(Node::Other)
            }
            op::BINBYTES8 => {
                let length = cursor.u64()?;
                cursor.take_long(length)?;
                self.push(Node::Other)
            }

            op::EMPTY_TUPLE => self.push(Node::Tuple(Vec::new())),
            op::TUPLE1 => self.tuple(1),
            op::TUPLE2 => self.tuple(2),
            op::TUPLE3 => self.tuple(3),
            op::TUPLE => {
                let items = self.marked()?;
                self.push(Node::Tuple(items))
            }
            op::EMPTY_LIST | op::EMPTY_SET => self.push(Node::List(Vec::new())),
            op::LIST | op::FROZENSET => {
                let items = self.marked()?;
                self.push(Node::List(items))
            }
            op::APPEND => {
                let item = self.take()?;
                self.list()?.push(item);
                Ok(())
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.marked()?;
                self.list()?.extend(items);
                Ok(())
            }
            op::EMPTY_DICT => self.push(Node::Dict(Vec::new())),
            op::DICT => {
                let entries = pairs(&self.marked()?)?;
                self.push(Node::Dict(entries))
            }
            op::SETITEM => {
                let value = self.take()?;
                let key = self.take()?;
                self.dict()?.push((key, value));
                Ok(())
            }
            op::SETITEMS => {
                let entries = pairs(&self.marked()?)?;
                self.dict()?.extend(entries);
                Ok(())
            }

            op::PUT => self.memorise(line_number(cursor.line()?)?),
            op::BINPUT => self.memorise(cursor.u8()?.into()),
            op::LONG_BINPUT => self.memorise(cursor.u32()?.into()),
            op::MEMOIZE => self.memorise(self.memo.len() as u64),
            op::GET => self.recall(line_number(cursor.line()?)?),
            op::BINGET => self.recall(cursor.u8()?.into()),
            op::LONG_BINGET => self.recall(cursor.u32()?.into()),

            op::GLOBAL => {
                let (module, name) = (cursor.line()?, cursor.line()?);
                self.push(Node::Global(global(&String::from_utf8_lossy(module), name)?))
            }
            op::INST => {
                let (module, name) = (cursor.line()?, cursor.line()?);
                Err(Fault::Sentence(forbidden(
                    &String::from_utf8_lossy(module),
                    &String::from_utf8_lossy(name),
                )))
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.take()?, self.take()?);
                let (Node::Text(module), Node::Text(name)) = (&self.nodes[module], &self.nodes[name]) else {
                    return damage("names a global by something other than text");
                };
                let global = match name {
                    Cow::Borrowed(name) => global(module, name.as_bytes())?,
                    // Text that had to be repaired names nothing known.
                    Cow::Owned(name) => return Err(Fault::Sentence(forbidden(module, name))),
                };
                self.push(Node::Global(global))
            }
            op::REDUCE | op::NEWOBJ => {
                let (arguments, function) = (self.take()?, self.take()?);
                let result = self.call(function, arguments)?;
                self.push(result)
            }
            // The only state that state dicts carry is `_metadata`, version numbers of modules.
            op::BUILD => {
                self.take()?;
                self.top().map(drop)
            }
            op::BINPERSID => {
                let id = self.take()?;
                let storage = self.storage(id)?;
                self.storages.push(storage);
                self.push(Node::Storage(self.storages.len() - 1))
            }
            unknown => damage(format!("has the unexpected instruction 0x{unknown:02x}")),
        }
    }

    /// The result of calling one of the known functions.
    fn call(&self, function: Id, arguments: Id) -> Result<Node<'a>, Fault> {
        let Node::Global(function) = &self.nodes[function] else {
            return damage("calls something that is no function");
        };
        let Node::Tuple(arguments) = &self.nodes[arguments] else {
            return damage("calls without arguments");
        };
        match (function, arguments.as_slice()) {
            (Global::OrderedDict, []) => Ok(Node::Dict(Vec::new())),
            // Python 2 passes a list of [key, value] lists.
            (Global::OrderedDict, &[list]) => {
                let entries = self.sequence(list)?.iter().map(|&pair| match self.sequence(pair)? {
                    &[key, value] => Ok((key, value)),
                    _ => damage("builds a dictionary of something other than pairs"),
                });
                entries.collect::<Result<_, _>>().map(Node::Dict)
            }
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let Node::Storage(storage) = self.nodes[storage] else {
                    return damage("builds a tensor of no storage");
                };
                let numbers =
                    |list| self.sequence(list)?.iter().map(|&n| self.number(n)).collect::<Result<_, _>>();
                let (shape, strides): (Vec<usize>, Vec<usize>) = (numbers(shape)?, numbers(strides)?);
                if shape.len() != strides.len() || shape.len() > 16 {
                    return damage("builds a tensor whose shape and strides do not go together");
                }
                let class = self.storages[storage].class;
                Ok(Node::Tensor(TensorNode { storage, class, offset: self.number(offset)?, shape, strides }))
            }
            (Global::RebuildParameter, &[tensor, ..]) => match &self.nodes[tensor] {
                Node::Tensor(tensor) => Ok(Node::Tensor(tensor.clone())),
                _ => damage("builds a parameter of no tensor"),
            },
            _ => damage("calls a function with unexpected arguments"),
        }
    }

    /// `('storage', class, key, location, count)`, in legacy files with `None` or `(key, offset, count)` behind.
    fn storage(&self, id: Id) -> Result<StorageNode<'a>, Fault> {
        let (&[kind, class, key, _location, count], view) = (match self.sequence(id)? {
            [five @ .., view] if five.len() == 5 => (five, Some(*view)),
            five => (five, None),
        }) else {
            return damage("refers to a storage in an unknown way");
        };
        let (Node::Text(kind), &Node::Global(Global::Storage(class))) =
            (&self.nodes[kind], &self.nodes[class])
        else {
            return damage("refers to something other than a storage");
        };
        if kind != "storage" {
            return damage("refers to something other than a storage");
        }
        let key = match &self.nodes[key] {
            Node::Text(key) => key.to_string(),
            Node::Int(key) => key.to_string(),
            _ => return damage("refers to a storage without key"),
        };
        let view = match view.map(|view| &self.nodes[view]) {
            None | Some(Node::None) => None,
            Some(Node::Tuple(view)) => match view.as_slice() {
                &[_key, offset, count] => Some((self.number(offset)?, self.number(count)?)),
                _ => return damage("refers to a part of a storage in an unknown way"),
            },
            Some(_) => return damage("refers to a part of a storage in an unknown way"),
        };
        Ok(StorageNode { class, key, count: self.number(count)?, view })
    }

    fn number(&self, id: Id) -> Result<usize, Fault> {
        match self.nodes[id] {
            Node::Int(n) if n >= 0 => usize::try_from(n).or_else(|_| damage(format!("has the size {n}"))),
            Node::Int(n) => damage(format!("has the negative size {n}")),
            _ => damage("has a size that is no number"),
        }
    }

    fn sequence(&self, id: Id) -> Result<&[Id], Fault> {
        match &self.nodes[id] {
            Node::List(items) | Node::Tuple(items) => Ok(items),
            _ => damage("has something else where a list belongs"),
        }
    }

    fn bounded(&self, count: usize) -> Result<(), Fault> {
        if count < MAX_VALUES {
            return Ok(());
        }
        Err(Fault::Sentence(format!("describes more than {MAX_VALUES} values: this is no I3D checkpoint")))
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), Fault> {
        self.bounded(self.nodes.len())?;
        self.nodes.push(node);
        self.push_id(self.nodes.len() - 1)
    }

    fn push_id(&mut self, id: Id) -> Result<(), Fault> {
        self.bounded(self.stack.len())?;
        self.stack.push(id);
        Ok(())
    }

    fn text(&mut self, bytes: &'a [u8]) -> Result<(), Fault> {
        self.push(Node::Text(String::from_utf8_lossy(bytes)))
    }

    fn tuple(&mut self, length: usize) -> Result<(), Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(length).filter(|&start| start >= floor) {
            Some(start) => {
                let items = self.stack.split_off(start);
                self.push(Node::Tuple(items))
            }
            None => damage("takes more values than there are"),
        }
    }

    /// The topmost value, removed; a mark is no value.
    fn pop(&mut self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = if self.stack.len() > floor { self.stack.pop() } else { None };
        top.ok_or_else(|| "takes more values than there are".into())
    }

    fn take(&mut self) -> Result<Id, Fault> {
        self.pop().map_err(Fault::Damage)
    }

    fn top(&self) -> Result<Id, Fault> {
        self.stack.last().copied().map_or_else(|| damage("takes more values than there are"), Ok)
    }

    /// All values above the last mark, removed with it.
    fn marked(&mut self) -> Result<Vec<Id>, Fault> {
        match self.marks.pop() {
            Some(height) if height <= self.stack.len() => Ok(self.stack.split_off(height)),
            _ => damage("has no mark where one is needed"),
        }
    }

    fn list(&mut self) -> Result<&mut Vec<Id>, Fault> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(items) => Ok(items),
            _ => damage("appends to something that is no list"),
        }
    }

    fn dict(&mut self) -> Result<&mut Vec<(Id, Id)>, Fault> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::Dict(entries) => Ok(entries),
            _ => damage("sets an item of something that is no dictionary"),
        }
    }

    fn memorise(&mut self, key: u64) -> Result<(), Fault> {
        self.bounded(self.memo.len())?;
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Fault> {
        match self.memo.get(&key) {
            Some(&id) => self.push_id(id),
            None => damage(format!("recalls value {key}, which was never stored,")),
        }
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, Fault> {
    match items.as_chunks::<2>() {
        (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => damage("sets a key without value"),
    }
}

/// Little-endian two's complement of any length.
fn long<'a>(bytes: &[u8]) -> Node<'a> {
    if bytes.len() > 8 {
        return Node::Other;
    }
    let negative = bytes.last().is_some_and(|&b| b & 0x80 != 0);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(all))
}

/// `42`, `42L`, or the truth values `00` and `01` of old protocols.
fn decimal<'a>(line: &[u8]) -> Node<'a> {
    match line {
        b"00" => Node::Bool(false),
        b"01" => Node::Bool(true),
        _ => {
            let text = String::from_utf8_lossy(line);
            text.trim_end_matches('L').parse().map_or(Node::Other, Node::Int)
        }
    }
}

fn line_number(line: &[u8]) -> Result<u64, Fault> {
    String::from_utf8_lossy(line).parse().or_else(|_| damage("has a memo key that is no number"))
}
