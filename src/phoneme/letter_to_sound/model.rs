//! The n-gram model, read where it lies: a trie with quantised probabilities, about three bytes per n-gram.
//!
//! ```text
//! magic [8] │ symbol fingerprint u32 │ order u32 │ units u32 │ nodes per level u32 × order │ parents per level u32 × order
//! probability codebook f32 × 128 │ back-off codebook f32 × 256
//! units [4]: letter u8 (0: end of the word) │ phone count u8 │ two ids
//! per level: nodes u16 │ parent bits │ parents before each 64 nodes u32 │ first child of each 64 parents u32 │ children before, within the 64, u16 │ back-offs u8
//! ```
//! A node is a unit (9 bits) and a probability code (7). A node with children is a *parent*: its bit is set, and its
//! rank among them finds its children on the next level and its back-off weight. Logarithms are natural; costs are
//! their negatives.

use std::ops::Range;

use super::super::symbol::{SYMBOL_FINGERPRINT, Symbol};

pub(super) const MAGIC: &[u8; 8] = b"FGLTS\0\x01\n";
pub(super) const UNIT_BITS: u32 = 9;
pub(super) const PROB_CODES: usize = 128;
pub(super) const BACKOFF_CODES: usize = 256;
/// Nodes, or parents, that share an absolute count.
pub(super) const STRIDE: usize = 64;
/// Longest n-gram: a key of units must fit in 64 bits.
pub(super) const MAX_ORDER: usize = 7;
/// Unit before the word.
pub(super) const START: u16 = 0;
/// Unit behind the word.
pub(super) const END: u16 = 1;
/// No node.
pub(super) const NONE: u32 = u32::MAX;

const DATA: &[u8] = include_bytes!("../data/english.lts");
// As with the lexicon: a stale file must not build, an empty one may.
const _: () = assert!(DATA.is_empty() || is_current(DATA), "data/english.lts: empty it, then train it again");

const fn is_current(data: &[u8]) -> bool {
    if data.len() < 20 {
        return false;
    }
    let mut i = 0;
    while i < MAGIC.len() {
        if data[i] != MAGIC[i] {
            return false;
        }
        i += 1;
    }
    u32::from_le_bytes([data[8], data[9], data[10], data[11]]) == SYMBOL_FINGERPRINT
}

/// Where one level's parts lie.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    nodes: usize,
    node_at: usize,
    bits_at: usize,
    ranks_at: usize,
    bases_at: usize,
    offsets_at: usize,
    backoffs_at: usize,
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model<'a> {
    data: &'a [u8],
    pub order: usize,
    units: usize,
    units_at: usize,
    probs_at: usize,
    backoffs_at: usize,
    levels: [Level; MAX_ORDER],
}

impl Model<'static> {
    pub fn embedded() -> Self {
        Self::from_bytes(DATA).unwrap_or(Model::empty())
    }

    /// Knows nothing: only while the data are being made for the first time.
    fn empty() -> Self {
        Self {
            data: &[],
            order: 0,
            units: 0,
            units_at: 0,
            probs_at: 0,
            backoffs_at: 0,
            levels: [Level::default(); MAX_ORDER],
        }
    }
}

impl<'a> Model<'a> {
    pub fn from_bytes(data: &'a [u8]) -> Option<Self> {
        if !is_current(data) {
            return None;
        }
        let (order, units) = (read_u32(data, 12)? as usize, read_u32(data, 16)? as usize);
        if order == 0 || order > MAX_ORDER || units > 1 << UNIT_BITS {
            return None;
        }
        let probs_at = 20 + 8 * order;
        let backoffs_at = probs_at + 4 * PROB_CODES;
        let units_at = backoffs_at + 4 * BACKOFF_CODES;
        let mut at = units_at + 4 * units;
        let mut levels = [Level::default(); MAX_ORDER];
        for (index, level) in levels.iter_mut().enumerate().take(order) {
            let nodes = read_u32(data, 20 + 4 * index)? as usize;
            let parents = read_u32(data, 20 + 4 * (order + index))? as usize;
            if nodes > data.len() || parents > nodes {
                return None;
            }
            let mut take = |bytes: usize| {
                let start = at;
                at += bytes;
                start
            };
            *level = Level {
                nodes,
                node_at: take(2 * nodes),
                bits_at: take(nodes.div_ceil(8)),
                ranks_at: take(4 * nodes.div_ceil(STRIDE)),
                bases_at: take(4 * parents.div_ceil(STRIDE)),
                offsets_at: take(2 * parents),
                backoffs_at: take(parents),
            };
        }
        (at == data.len()).then_some(Self { data, order, units, units_at, probs_at, backoffs_at, levels })
    }

    pub fn units(&self) -> u16 {
        self.units as u16
    }

    /// The letter and phones of a unit.
    pub fn unit(&self, unit: u16) -> (u8, impl Iterator<Item = Symbol> + use<'a>) {
        let at = self.units_at + 4 * unit as usize;
        let bytes = self.data.get(at..at + 4).unwrap_or(&[0; 4]);
        let count = (bytes[1] as usize).min(2);
        (bytes[0], bytes[2..2 + count].iter().filter_map(|&id| Symbol::from_id(id)))
    }

    fn node(&self, level: &Level, node: usize) -> u16 {
        let at = level.node_at + 2 * node;
        self.data.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// The rank of a node among its level's parents, if it is one.
    fn parent(&self, level: &Level, node: usize) -> Option<usize> {
        let byte = |index: usize| self.data.get(level.bits_at + index).copied().unwrap_or(0);
        if byte(node / 8) & (1 << (node % 8)) == 0 {
            return None;
        }
        let stride = node / STRIDE;
        let before = read_u32(self.data, level.ranks_at + 4 * stride)? as usize;
        let whole: u32 = (stride * STRIDE / 8..node / 8).map(|index| byte(index).count_ones()).sum();
        let partial = (byte(node / 8) & ((1u16 << (node % 8)) - 1) as u8).count_ones();
        Some(before + (whole + partial) as usize)
    }

    /// First child of the parent of this rank, or, for the rank behind the last, the end of all children.
    fn first_child(&self, depth: usize, rank: usize) -> usize {
        let level = &self.levels[depth];
        let parents = (level.backoffs_at - level.offsets_at) / 2;
        if rank >= parents {
            return self.levels[depth + 1].nodes;
        }
        let base = read_u32(self.data, level.bases_at + 4 * (rank / STRIDE)).unwrap_or(0) as usize;
        let at = level.offsets_at + 2 * rank;
        let offset = self.data.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
        base + offset as usize
    }

    fn cost_of(&self, code: u16) -> f32 {
        read_f32(self.data, self.probs_at + 4 * (code >> UNIT_BITS) as usize)
    }

    /// A unit by itself: its node on the first level is its own number.
    pub fn unigram(&self, unit: u16) -> (u32, f32) {
        (u32::from(unit), self.cost_of(self.node(&self.levels[0], unit as usize)))
    }

    /// The children of a node, and the cost of backing off from it (0 if it has none). `depth` counts from 0.
    pub fn children(&self, depth: usize, node: u32) -> (Range<usize>, f32) {
        if depth + 1 >= self.order || node == NONE {
            return (0..0, 0.0);
        }
        let level = &self.levels[depth];
        let Some(rank) = self.parent(level, node as usize) else { return (0..0, 0.0) };
        let code = self.data.get(level.backoffs_at + rank).copied().unwrap_or(0);
        let cost = read_f32(self.data, self.backoffs_at + 4 * code as usize);
        (self.first_child(depth, rank)..self.first_child(depth, rank + 1), cost)
    }

    /// The children, of a node at `depth`, that are one of `units`: unit, node and cost.
    pub fn children_among(
        &self,
        depth: usize,
        children: Range<usize>,
        units: Range<u16>,
    ) -> impl Iterator<Item = (u16, u32, f32)> {
        let level = &self.levels[(depth + 1).min(MAX_ORDER - 1)];
        let unit_of = |code: u16| code & ((1 << UNIT_BITS) - 1);
        let (mut low, mut high) = (children.start, children.end.min(level.nodes));
        let end = high;
        while low < high {
            let middle = low + (high - low) / 2;
            if unit_of(self.node(level, middle)) < units.start {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low..end)
            .map(move |node| (node, self.node(level, node)))
            .take_while(move |(_, code)| unit_of(*code) < units.end)
            .map(move |(node, code)| (unit_of(code), node as u32, self.cost_of(code)))
    }

    /// The units of a letter: they follow one another.
    pub fn units_of(&self, letter: u8) -> Range<u16> {
        let first_not_below = |letter: u16| {
            let (mut low, mut high) = (END + 1, self.units().max(END + 1));
            while low < high {
                let middle = low + (high - low) / 2;
                if u16::from(self.unit(middle).0) < letter { low = middle + 1 } else { high = middle }
            }
            low
        };
        first_not_below(u16::from(letter))..first_not_below(u16::from(letter) + 1)
    }
}

fn read_u32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

fn read_f32(data: &[u8], at: usize) -> f32 {
    read_u32(data, at).map_or(0.0, f32::from_bits)
}
