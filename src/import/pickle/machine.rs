//! The stack machine that a pickle is a program of. None of its instructions reaches outside of the arena.

use std::collections::HashMap;
use std::io::{self, Read};

use super::{Node, NodeId, Object, PickleError};

/// Objects in one pickle; published files have a few ten thousand.
const MAX_NODES: usize = 1_000_000;
/// Values on the stack at a time.
const MAX_STACK: usize = 1_000_000;
/// One string. Pickled modules carry the source text of their classes.
const MAX_TEXT_BYTES: usize = 16 << 20;
/// All strings together.
const MAX_TEXTS_BYTES: usize = 256 << 20;
/// A line of the old text opcodes.
const MAX_LINE_BYTES: usize = 1 << 16;

/// Runs a pickle to its end; all objects, and the one that it stands for.
pub(super) fn run(reader: impl Read) -> Step<(Vec<Node>, NodeId)> {
    let mut machine = Machine {
        reader,
        at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        texts_bytes: 0,
    };
    let root = machine.run()?;
    Ok((machine.nodes, root))
}

struct Machine<R> {
    reader: R,
    at: u64,
    nodes: Vec<Node>,
    stack: Vec<NodeId>,
    marks: Vec<usize>,
    memo: HashMap<u64, NodeId>,
    texts_bytes: usize,
}

type Step<T = ()> = Result<T, PickleError>;

impl<R: Read> Machine<R> {
    fn run(&mut self) -> Step<NodeId> {
        loop {
            let [opcode] = self.bytes()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Step {
        match opcode {
            // Protocol and frames say nothing that the opcodes do not.
            0x80 => drop(self.bytes::<1>()?),
            0x95 => drop(self.bytes::<8>()?),
            b'(' => self.mark()?,
            b'0' => self.discard()?,
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)?;
            }
            b'N' => self.push(Node::None)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'I' | b'L' => {
                let node = self.text_int(opcode == b'I')?;
                self.push(node)?;
            }
            b'J' => self.push_int(|b: [u8; 4]| i32::from_le_bytes(b).into())?,
            b'K' => self.push_int(|[b]: [u8; 1]| b.into())?,
            b'M' => self.push_int(|b: [u8; 2]| u16::from_le_bytes(b).into())?,
            0x8a => {
                let [length] = self.bytes()?;
                self.long(length.into())?;
            }
            0x8b => {
                let length = u32::from_le_bytes(self.bytes()?) as usize;
                self.long(length)?;
            }
            b'F' => {
                let value = self.line()?.parse().map_err(|_| self.malformed("expected a float"))?;
                self.push(Node::Float(value))?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.bytes()?);
                self.push(Node::Float(value))?;
            }
            b'S' | b'V' => {
                let text = self.line()?;
                let text = if opcode == b'S' { unquoted(&text) } else { text };
                self.push(Node::Text(text))?;
            }
            b'U' | 0x8c => self.push_text(|b: [u8; 1]| b[0].into())?,
            b'T' | b'X' => self.push_text(|b: [u8; 4]| u32::from_le_bytes(b).into())?,
            0x8d => self.push_text(u64::from_le_bytes)?,
            b'C' => self.push_bytes(|b: [u8; 1]| b[0].into())?,
            b'B' => self.push_bytes(|b: [u8; 4]| u32::from_le_bytes(b).into())?,
            0x8e | 0x96 => self.push_bytes(u64::from_le_bytes)?,
            b']' | 0x8f => self.push(Node::List(Vec::new()))?,
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b')' => self.push(Node::Tuple(Vec::new()))?,
            0x85..=0x87 => {
                let ids = self.pop_last(usize::from(opcode - 0x84))?;
                self.push(Node::Tuple(ids))?;
            }
            b't' | b'l' | 0x91 => {
                let ids = self.pop_to_mark()?;
                self.push(if opcode == b't' { Node::Tuple(ids) } else { Node::List(ids) })?;
            }
            b'd' => {
                let ids = self.pop_to_mark()?;
                let pairs = self.pairs(&ids)?;
                self.push(Node::Dict(pairs))?;
            }
            b'a' => {
                let id = self.pop()?;
                self.append(&[id])?;
            }
            b'e' | 0x90 => {
                let ids = self.pop_to_mark()?;
                self.append(&ids)?;
            }
            b's' => {
                let ids = self.pop_last(2)?;
                self.insert(&ids)?;
            }
            b'u' => {
                let ids = self.pop_to_mark()?;
                self.insert(&ids)?;
            }
            b'g' => {
                let key = self.line()?.parse().map_err(|_| self.malformed("expected a memo index"))?;
                self.recall(key)?;
            }
            b'h' => {
                let [key] = self.bytes()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.bytes()?);
                self.recall(key.into())?;
            }
            b'p' => {
                let key = self.line()?.parse().map_err(|_| self.malformed("expected a memo index"))?;
                self.remember(key)?;
            }
            b'q' => {
                let [key] = self.bytes()?;
                self.remember(key.into())?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.bytes()?);
                self.remember(key.into())?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'c' => {
                let node = self.global_lines()?;
                self.push(node)?;
            }
            0x93 => {
                let ids = self.pop_last(2)?;
                let (Some(Node::Text(module)), Some(Node::Text(name))) = (self.get(ids[0]), self.get(ids[1]))
                else {
                    return Err(self.malformed("a global's name is not text"));
                };
                let node = Node::Global { module: module.clone(), name: name.clone() };
                self.push_text_node(node)?;
            }
            b'i' => {
                let node = self.global_lines()?;
                let arguments = self.pop_to_mark()?;
                let callable = self.add(node)?;
                self.push_call(callable, arguments)?;
            }
            b'o' => {
                let mut ids = self.pop_to_mark()?;
                if ids.is_empty() {
                    return Err(self.malformed("an object without a class"));
                }
                let callable = ids.remove(0);
                self.push_call(callable, ids)?;
            }
            b'R' | 0x81 | 0x92 => {
                let ids = self.pop_last(if opcode == 0x92 { 3 } else { 2 })?;
                let arguments = match self.get(ids[1]) {
                    Some(Node::Tuple(arguments)) => arguments.clone(),
                    _ => return Err(self.malformed("arguments are not a tuple")),
                };
                self.charge(arguments.len() * size_of::<NodeId>())?;
                self.push_call(ids[0], arguments)?;
            }
            b'b' => self.build()?,
            b'P' => {
                let text = self.line()?;
                let id = self.add(Node::Text(text))?;
                self.push(Node::Persistent(id))?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            // Extension codes and out-of-band buffers stand for things that only their writer knows.
            opcode => return Err(PickleError::Opcode { at: self.at - 1, opcode }),
        }
        Ok(())
    }

    fn malformed(&self, problem: &'static str) -> PickleError {
        PickleError::Malformed { at: self.at, problem }
    }

    fn bytes<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// Bytes of a length that the file claims: they are read as they come, so that a lie costs no memory.
    fn counted(&mut self, length: u64) -> Step<Vec<u8>> {
        if length > MAX_TEXT_BYTES as u64 {
            return Err(PickleError::Limit { at: self.at, what: "bytes of text", limit: MAX_TEXT_BYTES });
        }
        self.charge(length as usize)?;
        let mut bytes = Vec::new();
        let got = self.reader.by_ref().take(length).read_to_end(&mut bytes)? as u64;
        self.at += got;
        if got < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(bytes)
    }

    /// Counts what strings and argument lists take: a memo could have a few bytes stand for many.
    fn charge(&mut self, bytes: usize) -> Step {
        self.texts_bytes += bytes;
        if self.texts_bytes > MAX_TEXTS_BYTES {
            return Err(PickleError::Limit { at: self.at, what: "bytes of text", limit: MAX_TEXTS_BYTES });
        }
        Ok(())
    }

    fn line(&mut self) -> Step<String> {
        let mut line = Vec::new();
        loop {
            let [byte] = self.bytes()?;
            if byte == b'\n' {
                self.charge(line.len())?;
                return Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
            }
            if line.len() == MAX_LINE_BYTES {
                return Err(PickleError::Limit {
                    at: self.at,
                    what: "bytes in a line",
                    limit: MAX_LINE_BYTES,
                });
            }
            line.push(byte);
        }
    }

    fn text_int(&mut self, or_bool: bool) -> Step<Node> {
        let line = self.line()?;
        match line.trim_end_matches('L') {
            "00" if or_bool => Ok(Node::Bool(false)),
            "01" if or_bool => Ok(Node::Bool(true)),
            digits => digits.parse().map(Node::Int).map_err(|_| self.malformed("expected an integer")),
        }
    }

    fn long(&mut self, length: usize) -> Step {
        let bytes = self.counted(length as u64)?;
        let negative = bytes.last().is_some_and(|&last| last >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        let node = match wide.get_mut(..length) {
            Some(low) => {
                low.copy_from_slice(&bytes);
                Node::Int(i64::from_le_bytes(wide))
            }
            None => Node::Long(bytes),
        };
        self.push(node)
    }

    fn push_int<const N: usize>(&mut self, value: impl Fn([u8; N]) -> i64) -> Step {
        let value = value(self.bytes()?);
        self.push(Node::Int(value))
    }

    fn push_text<const N: usize>(&mut self, length: impl Fn([u8; N]) -> u64) -> Step {
        let length = length(self.bytes()?);
        let bytes = self.counted(length)?;
        self.push(Node::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn push_bytes<const N: usize>(&mut self, length: impl Fn([u8; N]) -> u64) -> Step {
        let length = length(self.bytes()?);
        let bytes = self.counted(length)?;
        self.push(Node::Bytes(bytes))
    }

    fn push_text_node(&mut self, node: Node) -> Step {
        if let Node::Global { module, name } = &node {
            self.charge(module.len() + name.len())?;
        }
        self.push(node)
    }

    fn global_lines(&mut self) -> Step<Node> {
        Ok(Node::Global { module: self.line()?, name: self.line()? })
    }

    fn add(&mut self, node: Node) -> Step<NodeId> {
        if self.nodes.len() == MAX_NODES {
            return Err(PickleError::Limit { at: self.at, what: "objects", limit: MAX_NODES });
        }
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as NodeId)
    }

    fn push(&mut self, node: Node) -> Step {
        let id = self.add(node)?;
        self.push_id(id)
    }

    fn push_call(&mut self, callable: NodeId, arguments: Vec<NodeId>) -> Step {
        self.push(Node::Object(Object { callable, arguments, state: None, items: Vec::new() }))
    }

    fn push_id(&mut self, id: NodeId) -> Step {
        if self.stack.len() == MAX_STACK {
            return Err(PickleError::Limit { at: self.at, what: "values on the stack", limit: MAX_STACK });
        }
        self.stack.push(id);
        Ok(())
    }

    fn mark(&mut self) -> Step {
        if self.marks.len() == MAX_STACK {
            return Err(PickleError::Limit { at: self.at, what: "marks", limit: MAX_STACK });
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Where the part of the stack that may be taken begins.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Step<NodeId> {
        if self.stack.len() <= self.floor() {
            return Err(self.malformed("the stack is empty"));
        }
        self.stack.pop().ok_or_else(|| self.malformed("the stack is empty"))
    }

    /// `POP` takes a mark where no value lies above it.
    fn discard(&mut self) -> Step {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn top(&self) -> Step<NodeId> {
        match self.stack.last() {
            Some(&id) if self.stack.len() > self.floor() => Ok(id),
            _ => Err(self.malformed("the stack is empty")),
        }
    }

    fn pop_last(&mut self, count: usize) -> Step<Vec<NodeId>> {
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= self.floor() => Ok(self.stack.split_off(start)),
            _ => Err(self.malformed("the stack is too short")),
        }
    }

    fn pop_to_mark(&mut self) -> Step<Vec<NodeId>> {
        let start = self.marks.pop().ok_or_else(|| self.malformed("no mark"))?;
        Ok(self.stack.split_off(start))
    }

    fn pairs(&self, ids: &[NodeId]) -> Step<Vec<(NodeId, NodeId)>> {
        let (pairs, rest) = ids.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.malformed("a key without a value"));
        }
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    }

    fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn get_mut(&mut self, id: NodeId) -> Step<&mut Node> {
        let at = self.at;
        self.nodes.get_mut(id as usize).ok_or(PickleError::Malformed { at, problem: "no such object" })
    }

    fn append(&mut self, ids: &[NodeId]) -> Step {
        let top = self.top()?;
        let wrong = self.malformed("appending to what is no list");
        match self.get_mut(top)? {
            Node::List(list) => list.extend_from_slice(ids),
            // A list of an unknown class: its members matter to nobody here.
            Node::Object(_) => {}
            _ => return Err(wrong),
        }
        Ok(())
    }

    fn insert(&mut self, ids: &[NodeId]) -> Step {
        let pairs = self.pairs(ids)?;
        let top = self.top()?;
        let wrong = self.malformed("inserting into what is no dictionary");
        match self.get_mut(top)? {
            Node::Dict(dict) => dict.extend(pairs),
            Node::Object(object) => object.items.extend(pairs),
            _ => return Err(wrong),
        }
        Ok(())
    }

    fn build(&mut self) -> Step {
        let state = self.pop()?;
        let top = self.top()?;
        // What is not a call here carries nothing that a state could change.
        if let Node::Object(object) = self.get_mut(top)? {
            object.state = Some(state);
        }
        Ok(())
    }

    fn remember(&mut self, key: u64) -> Step {
        let top = self.top()?;
        if self.memo.len() == MAX_NODES && !self.memo.contains_key(&key) {
            return Err(PickleError::Limit { at: self.at, what: "memo entries", limit: MAX_NODES });
        }
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Step {
        let id = self.memo.get(&key).copied().ok_or_else(|| self.malformed("a memo entry is missing"))?;
        self.push_id(id)
    }
}

/// A string in Python's quotes, of the oldest protocol; its escapes stay as they are.
fn unquoted(text: &str) -> String {
    text.trim_matches(|c| c == '\'' || c == '"').to_owned()
}
