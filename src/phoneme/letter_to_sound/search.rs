//! Beam search for the likeliest units of a word's letters.

use std::ops::Range;

use super::super::symbol::{Stress, Symbol};
use super::model::{END, MAX_ORDER, Model, NONE, START};

/// Hypotheses kept per letter. With 12 the held-out word error is 1.6 % absolute higher; with 80 it is the same.
const BEAM: usize = 48;
/// Hypotheses worse than the best by more than this (natural logarithm) are dropped.
const BEAM_COST: f32 = 9.0;
/// Cost of a second primary stress, and of none at all: an n-gram forgets what it has stressed. On held-out words this
/// lowers the word error by 3 % absolute.
const STRESS_COST: f32 = 4.0;

/// A word read up to some letter.
#[derive(Clone)]
struct Hypothesis {
    cost: f32,
    /// The trie's node of the last 1, 2, … units; [`NONE`] where the model has not seen them.
    context: [u32; MAX_ORDER],
    primary: bool,
    /// The last unit and the entry before it in the arena.
    trace: u32,
}

pub(super) fn best(model: &Model<'_>, word: &[u8]) -> Vec<Symbol> {
    if model.order == 0 {
        return Vec::new();
    }
    // (unit, entry before)
    let mut arena: Vec<(u16, u32)> = Vec::new();
    let mut context = [NONE; MAX_ORDER];
    context[0] = model.unigram(START).0;
    let mut beam = vec![Hypothesis { cost: 0.0, context, primary: false, trace: NONE }];
    let mut next: Vec<Hypothesis> = Vec::new();
    for &letter in word {
        let units = model.units_of(letter);
        if units.is_empty() {
            continue;
        }
        next.clear();
        for hypothesis in &beam {
            extend(model, hypothesis, units.clone(), &mut next);
        }
        // A stable sort on a total order: the same word always gives the same phones.
        next.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        let worst = next.first().map_or(0.0, |first| first.cost) + BEAM_COST;
        beam.clear();
        for mut hypothesis in next.drain(..) {
            let same = |other: &Hypothesis| {
                other.context == hypothesis.context && other.primary == hypothesis.primary
            };
            if beam.len() == BEAM || hypothesis.cost > worst {
                break;
            }
            if beam.iter().any(same) {
                continue;
            }
            let unit = hypothesis.context[0] as u16;
            arena.push((unit, hypothesis.trace));
            hypothesis.trace = arena.len() as u32 - 1;
            beam.push(hypothesis);
        }
    }
    let mut last: Vec<Hypothesis> = Vec::new();
    for hypothesis in &beam {
        extend(model, hypothesis, END..END + 1, &mut last);
    }
    likeliest(model, &last, &arena)
}

/// The likeliest phones among the complete hypotheses: different units may make the same phones, and add up.
fn likeliest(model: &Model<'_>, complete: &[Hypothesis], arena: &[(u16, u32)]) -> Vec<Symbol> {
    let total =
        |hypothesis: &Hypothesis| hypothesis.cost + if hypothesis.primary { 0.0 } else { STRESS_COST };
    let lowest = complete.iter().map(total).fold(f32::INFINITY, f32::min);
    let mut readings: Vec<(Vec<Symbol>, f32)> = Vec::new();
    for hypothesis in complete {
        let mut units = Vec::new();
        let mut at = hypothesis.trace;
        while let Some(&(unit, before)) = arena.get(at as usize) {
            units.push(unit);
            at = before;
        }
        let phones: Vec<Symbol> = units.iter().rev().flat_map(|&unit| model.unit(unit).1).collect();
        let weight = (lowest - total(hypothesis)).exp();
        match readings.iter_mut().find(|(known, _)| *known == phones) {
            Some((_, sum)) => *sum += weight,
            None => readings.push((phones, weight)),
        }
    }
    // Phones first, summed over their stresses, then the stresses: a wrong phone is worse than a wrong stress.
    let mut phones: Vec<(Vec<Symbol>, f32)> = Vec::new();
    for (reading, weight) in &readings {
        let bare = without_stress(reading);
        match phones.iter_mut().find(|(known, _)| *known == bare) {
            Some((_, sum)) => *sum += weight,
            None => phones.push((bare, *weight)),
        }
    }
    let Some(bare) = heaviest(phones) else { return Vec::new() };
    readings.retain(|(reading, _)| without_stress(reading) == bare);
    heaviest(readings).unwrap_or_default()
}

/// The first of equals: the same word always gives the same phones.
fn heaviest(readings: Vec<(Vec<Symbol>, f32)>) -> Option<Vec<Symbol>> {
    let best = readings.into_iter().reduce(|best, other| if other.1 > best.1 { other } else { best });
    best.map(|(phones, _)| phones)
}

/// The phones alone.
pub(super) fn without_stress(phones: &[Symbol]) -> Vec<Symbol> {
    phones.iter().map(|symbol| symbol.with_stress(Stress::None)).collect()
}

/// Adds a hypothesis for each unit. The trace still points to the entry before.
fn extend(model: &Model<'_>, from: &Hypothesis, units: Range<u16>, to: &mut Vec<Hypothesis>) {
    let first = to.len();
    for unit in units.clone() {
        let mut context = [NONE; MAX_ORDER];
        let (node, cost) = model.unigram(unit);
        context[0] = node;
        let stresses = model.unit(unit).1.filter(|symbol| symbol.stress() == Some(Stress::Primary)).count();
        to.push(Hypothesis { cost, context, primary: stresses > 0, trace: from.trace });
    }
    // From the shortest context to the longest: each overrules the cost of the units that it knows, and adds its
    // back-off to that of the others.
    for depth in 0..model.order - 1 {
        let (children, backoff) = model.children(depth, from.context[depth]);
        for hypothesis in &mut to[first..] {
            hypothesis.cost += backoff;
        }
        for (unit, node, cost) in model.children_among(depth, children, units.clone()) {
            let hypothesis = &mut to[first + usize::from(unit - units.start)];
            hypothesis.cost = cost;
            hypothesis.context[depth + 1] = node;
        }
    }
    for hypothesis in &mut to[first..] {
        let excess = from.primary && hypothesis.primary;
        hypothesis.cost += from.cost + if excess { STRESS_COST } else { 0.0 };
        hypothesis.primary |= from.primary;
    }
}
