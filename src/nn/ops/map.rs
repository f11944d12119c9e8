//! Element-wise functions whose gradient candle would spread over a dozen passes.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::values;

/// A function of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Map {
    /// `x` above zero, `slope · x` below; slope 0 is the plain ReLU.
    LeakyRelu {
        /// Slope below zero, 0 to 1.
        slope: f32,
    },
    /// Bounded to `low ..= high`; no gradient outside.
    Clamp {
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
}

impl Map {
    /// The plain ReLU.
    pub const RELU: Map = Map::LeakyRelu { slope: 0.0 };

    fn check(self) -> Result<Self> {
        match self {
            Map::LeakyRelu { slope } if !(0.0..=1.0).contains(&slope) => {
                bail!("leaky relu: expected a slope from 0 to 1, got {slope}")
            }
            // NaN is in no range.
            Map::Clamp { low, high } if !(low..=high).contains(&high) => {
                bail!("clamp: expected a range, got {low} to {high}")
            }
            _ => Ok(self),
        }
    }

    #[inline(always)]
    pub(super) fn apply(self, xs: &mut [f32]) {
        match self {
            Map::LeakyRelu { slope } => {
                xs.iter_mut().for_each(|x| *x = if *x > 0.0 { *x } else { slope * *x })
            }
            Map::Clamp { low, high } => xs.iter_mut().for_each(|x| *x = x.max(low).min(high)),
        }
    }

    /// The gradient `grad` of the result, times the slope. `at` holds arguments or, just as well, results, which lie on
    /// the same side of a kink; a result on the very bound of a range counts as clamped.
    #[inline(always)]
    pub(super) fn pull_back(self, at: &[f32], grad: &[f32]) -> Vec<f32> {
        let pairs = at.iter().zip(grad);
        match self {
            Map::LeakyRelu { slope } => pairs.map(|(&x, &g)| if x > 0.0 { g } else { slope * g }).collect(),
            Map::Clamp { low, high } => {
                pairs.map(|(&x, &g)| if x > low && x < high { g } else { 0.0 }).collect()
            }
        }
    }

    pub(super) fn compose(self, xs: &Tensor) -> Result<Tensor> {
        match self {
            Map::LeakyRelu { slope } => xs.relu()? - (xs.neg()?.relu()? * f64::from(slope))?,
            Map::Clamp { low, high } => xs.clamp(low, high),
        }
    }
}

/// Applies `function` to every element.
///
/// # Errors
/// The tensor is not of floats, or the function's bounds are not in order.
pub fn map(xs: &Tensor, function: Map) -> Result<Tensor> {
    let function = function.check()?;
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(function);
    }
    function.compose(xs)
}

vectorized! {
    pub(super) fn apply(map: Map, xs: &mut [f32]) -> () {
        map.apply(xs)
    }

    fn pull_back(map: Map, at: &[f32], grad: &[f32]) -> Vec<f32> {
        map.pull_back(at, grad)
    }
}

impl CustomOp1 for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut ys = values(self.name(), storage, layout)?.to_vec();
        apply(*self, &mut ys[..]);
        Ok((CpuStorage::F32(ys), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(arg.contiguous()?.apply_op2_no_bwd(&grad.contiguous()?, &MapGradient(*self))?))
    }
}

pub(super) struct MapGradient(pub Map);

impl CustomOp2 for MapGradient {
    fn name(&self) -> &'static str {
        "map-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (at, grad) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let out = pull_back(self.0, at, grad);
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}
