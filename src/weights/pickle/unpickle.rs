//! A pickle interpreter that runs nothing.
//!
//! A pickle is a program for a small stack machine whose instructions may call any Python function. This machine knows
//! the few functions that describe tensors, and builds their results itself; of a call of any other only the function's
//! name remains. Values live in one list and refer to each other by position, so that neither cycles nor deep nesting can
//! hurt, and every instruction makes one small value at most, so that memory is proportional to the file.

use std::borrow::Cow;
use std::collections::HashMap;

use super::globals::global;
use super::object::{Id, Node, Object, StorageNode};
use super::opcodes as op;
use crate::weights::cursor::{Cursor, Problem};

/// The largest real checkpoint needs about ten thousand values.
const MAX_VALUES: usize = 1_000_000;

/// Interprets the pickle at the cursor up to its end.
pub(in crate::weights) fn unpickle<'a>(cursor: &mut Cursor<'a>) -> Result<Object<'a>, Problem> {
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
pub(super) enum Fault {
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

pub(super) fn damage<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Damage(what.into()))
}

#[derive(Default)]
pub(super) struct Machine<'a> {
    pub nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack where a mark was set.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    pub storages: Vec<StorageNode>,
    /// Storages by the tuple that describes them.
    pub described: HashMap<Id, u32>,
    /// Elements that calls have copied.
    pub copied: usize,
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
                bounded(self.marks.len())?;
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
            op::EMPTY_TUPLE | op::TUPLE1..=op::TUPLE3 | op::TUPLE | op::LIST | op::FROZENSET => {
                self.collection(code)
            }
            op::EMPTY_LIST | op::EMPTY_SET => self.push(Node::List(Vec::new())),
            op::APPEND => {
                let item = self.take()?;
                self.extend(&[item])
            }
            op::APPENDS | op::ADDITEMS => {
                let items = self.marked()?;
                self.extend(&items)
            }
            op::EMPTY_DICT => self.push(Node::Dict(Vec::new())),
            op::DICT => {
                let entries = pairs(&self.marked()?)?;
                self.push(Node::Dict(entries))
            }
            op::SETITEM => {
                let value = self.take()?;
                let key = self.take()?;
                self.set(&[key, value])
            }
            op::SETITEMS => {
                let entries = self.marked()?;
                self.set(&entries)
            }

            op::PUT => self.memorise(line_number(cursor.line()?)?),
            op::BINPUT => self.memorise(cursor.u8()?.into()),
            op::LONG_BINPUT => self.memorise(cursor.u32()?.into()),
            op::MEMOIZE => self.memorise(self.memo.len() as u64),
            op::GET => self.recall(line_number(cursor.line()?)?),
            op::BINGET => self.recall(cursor.u8()?.into()),
            op::LONG_BINGET => self.recall(cursor.u32()?.into()),

            op::GLOBAL => {
                let (module, name) = (line_text(cursor)?, line_text(cursor)?);
                let named = global(module, name)?;
                self.push(Node::Global(named))
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.take()?, self.take()?);
                let (Node::Text(module), Node::Text(name)) = (self.node(module), self.node(name)) else {
                    return damage("names a global by something other than text");
                };
                let named = global(borrowed(module), borrowed(name))?;
                self.push(Node::Global(named))
            }
            op::INST => {
                let (module, name) = (line_text(cursor)?, line_text(cursor)?);
                let named = global(module, name)?;
                self.marked()?;
                self.push(Node::Global(named))?;
                let function = self.take()?;
                self.push(Node::Opaque(function))
            }
            op::OBJ => {
                let function = self.marked()?.first().copied();
                function.map_or_else(|| damage("calls nothing"), |function| self.push(Node::Opaque(function)))
            }
            op::NEWOBJ_EX => {
                let (_named, _arguments, function) = (self.take()?, self.take()?, self.take()?);
                self.push(Node::Opaque(function))
            }
            op::REDUCE | op::NEWOBJ => {
                let (arguments, function) = (self.take()?, self.take()?);
                self.call(function, arguments)
            }
            op::BUILD => {
                let state = self.take()?;
                let object = self.top()?;
                self.build(object, state)
            }
            op::BINPERSID => {
                let id = self.take()?;
                self.persistent(id)
            }
            // Whether its bytes may be changed.
            op::READONLY_BUFFER => self.top().map(drop),
            _ => self.value(code, cursor),
        }
    }

    /// Instructions that push a value.
    fn value(&mut self, code: u8, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        let node = match code {
            op::NONE => Node::None,
            op::NEWTRUE => Node::Bool(true),
            op::NEWFALSE => Node::Bool(false),
            op::BININT => Node::Int(cursor.i32()?.into()),
            op::BININT1 => Node::Int(cursor.u8()?.into()),
            op::BININT2 => Node::Int(cursor.u16()?.into()),
            op::INT | op::LONG => decimal(cursor.line()?),
            op::LONG1 => {
                let length = cursor.u8()?;
                long(cursor.take(length.into())?)
            }
            op::LONG4 => {
                let length = cursor.u32()?;
                long(cursor.take_long(length.into())?)
            }
            op::FLOAT => {
                cursor.line()?;
                Node::Number
            }
            op::BINFLOAT => {
                cursor.f64_big_endian()?;
                Node::Number
            }
            op::STRING | op::UNICODE => text(cursor.line()?),
            op::SHORT_BINSTRING | op::SHORT_BINUNICODE => {
                let length = cursor.u8()?;
                text(cursor.take(length.into())?)
            }
            op::BINSTRING | op::BINUNICODE => {
                let length = cursor.u32()?;
                text(cursor.take_long(length.into())?)
            }
            op::BINUNICODE8 => {
                let length = cursor.u64()?;
                text(cursor.take_long(length)?)
            }
            op::SHORT_BINBYTES => {
                let length = cursor.u8()?;
                Node::Bytes(cursor.take(length.into())?)
            }
            op::BINBYTES => {
                let length = cursor.u32()?;
                Node::Bytes(cursor.take_long(length.into())?)
            }
            op::BINBYTES8 | op::BYTEARRAY8 => {
                let length = cursor.u64()?;
                Node::Bytes(cursor.take_long(length)?)
            }
            unknown => return damage(format!("has the unexpected instruction 0x{unknown:02x}")),
        };
        self.push(node)
    }

    fn collection(&mut self, code: u8) -> Result<(), Fault> {
        let length = match code {
            op::EMPTY_TUPLE => 0,
            op::TUPLE1 => 1,
            op::TUPLE2 => 2,
            op::TUPLE3 => 3,
            _ => {
                let items = self.marked()?;
                return self.push(match code {
                    op::TUPLE => Node::Tuple(items),
                    _ => Node::List(items),
                });
            }
        };
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(length).filter(|&start| start >= floor) {
            Some(start) => {
                // Not `split_off`, which may hand over the stack's whole capacity.
                let items = self.stack.drain(start..).collect();
                self.push(Node::Tuple(items))
            }
            None => damage("takes more values than there are"),
        }
    }

    /// Adds elements to the list on top of the stack. What an unknown object would do with them is lost.
    fn extend(&mut self, more: &[Id]) -> Result<(), Fault> {
        let top = self.top()?;
        match self.nodes.get_mut(top as usize) {
            Some(Node::List(items)) => items.extend_from_slice(more),
            Some(Node::Opaque(_)) => {}
            _ => return damage("appends to something that is no list"),
        }
        Ok(())
    }

    /// Adds entries, keys and values in turn, to the dictionary on top of the stack.
    fn set(&mut self, items: &[Id]) -> Result<(), Fault> {
        let top = self.top()?;
        match self.nodes.get_mut(top as usize) {
            Some(Node::Dict(entries)) => entries.extend(pairs(items)?),
            Some(Node::Opaque(_)) => {}
            _ => return damage("sets an item of something that is no dictionary"),
        }
        Ok(())
    }

    pub fn node(&self, id: Id) -> &Node<'a> {
        self.nodes.get(id as usize).unwrap_or(&Node::None)
    }

    pub fn push(&mut self, node: Node<'a>) -> Result<(), Fault> {
        bounded(self.nodes.len())?;
        self.nodes.push(node);
        self.push_id(self.nodes.len() as Id - 1)
    }

    pub fn push_id(&mut self, id: Id) -> Result<(), Fault> {
        bounded(self.stack.len())?;
        self.stack.push(id);
        Ok(())
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
            Some(height) if height <= self.stack.len() => Ok(self.stack.drain(height..).collect()),
            _ => damage("has no mark where one is needed"),
        }
    }

    fn memorise(&mut self, key: u64) -> Result<(), Fault> {
        bounded(self.memo.len())?;
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

/// Fails where so many values are there that no more may be.
pub(super) fn bounded(count: usize) -> Result<(), Fault> {
    if count < MAX_VALUES {
        return Ok(());
    }
    Err(Fault::Sentence(format!("describes more than {MAX_VALUES} values: this is no I3D checkpoint")))
}

/// A text that lives as long as the file. One that had to be repaired names nothing known.
fn borrowed<'a>(text: &Cow<'a, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text),
        Cow::Owned(_) => "\u{fffd}".into(),
    }
}

fn line_text<'a>(cursor: &mut Cursor<'a>) -> Result<Cow<'a, str>, Fault> {
    Ok(borrowed(&String::from_utf8_lossy(cursor.line()?)))
}

fn text(bytes: &[u8]) -> Node<'_> {
    Node::Text(String::from_utf8_lossy(bytes))
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
        return Node::Number;
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
            text.trim_end_matches('L').parse().map_or(Node::Number, Node::Int)
        }
    }
}

fn line_number(line: &[u8]) -> Result<u64, Fault> {
    String::from_utf8_lossy(line).parse().or_else(|_| damage("has a memo key that is no number"))
}
