//! Pickles as data: the object graph is rebuilt as nodes of an arena, and nothing in it is ever called.
//!
//! The opcodes are those of protocols 0 to 5 ([pickletools](https://docs.python.org/3/library/pickletools.html)). Classes
//! and functions become [`Node::Global`], calls become [`Node::Object`]. Nodes refer to each other by index, so a cycle
//! or a deep nest costs no recursion, not even when it is dropped.

mod machine;

use std::io::{self, Read};

/// Index of a [`Node`] in its [`Pickle`].
pub type NodeId = u32;

/// A value of the pickle.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A longer integer, little-endian two's complement.
    Long(Vec<u8>),
    /// A float.
    Float(f64),
    /// A string; what is not UTF-8 is replaced.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list or a set.
    List(Vec<NodeId>),
    /// A tuple.
    Tuple(Vec<NodeId>),
    /// A dictionary, in the order of its insertions.
    Dict(Vec<(NodeId, NodeId)>),
    /// A class or function by name.
    Global {
        /// Where it is defined.
        module: String,
        /// Its name there.
        name: String,
    },
    /// What a call would give.
    Object(Object),
    /// What lies outside of the pickle, by the value that names it.
    Persistent(NodeId),
}

/// A call that is not made.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What would be called.
    pub callable: NodeId,
    /// With what.
    pub arguments: Vec<NodeId>,
    /// What it would be told after that (`__setstate__`).
    pub state: Option<NodeId>,
    /// What would be inserted into it.
    pub items: Vec<(NodeId, NodeId)>,
}

/// Why a pickle is refused.
#[derive(Debug, thiserror::Error)]
pub enum PickleError {
    /// The file ended, or could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A byte that is no opcode of protocols 0 to 5.
    #[error("byte {at}: unknown opcode 0x{opcode:02x}")]
    Opcode {
        /// Position in the pickle.
        at: u64,
        /// The byte.
        opcode: u8,
    },
    /// The operands do not fit the opcode.
    #[error("byte {at}: {problem}")]
    Malformed {
        /// Position in the pickle.
        at: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// More than a checkpoint needs.
    #[error("byte {at}: more than {limit} {what}")]
    Limit {
        /// Position in the pickle.
        at: u64,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

/// A pickle's object graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Pickle {
    nodes: Vec<Node>,
    root: NodeId,
}

impl Pickle {
    /// Reads one pickle, and not a byte beyond its end.
    ///
    /// # Errors
    /// [`PickleError`] says what is wrong and where.
    pub fn read(reader: impl Read) -> Result<Self, PickleError> {
        let (nodes, root) = machine::run(reader)?;
        Ok(Self { nodes, root })
    }

    /// What the pickle stands for.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::None)
    }

    /// All nodes, in the order in which they were made.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A string's text.
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match self.node(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer.
    pub fn int(&self, id: NodeId) -> Option<i64> {
        match self.node(id) {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The members of a tuple or list.
    pub fn members(&self, id: NodeId) -> Option<&[NodeId]> {
        match self.node(id) {
            Node::Tuple(ids) | Node::List(ids) => Some(ids),
            _ => None,
        }
    }

    /// The name of a class or function, with its module.
    pub fn global(&self, id: NodeId) -> Option<(&str, &str)> {
        match self.node(id) {
            Node::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }
}
