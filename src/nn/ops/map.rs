//! Element-wise functions whose gradient candle would spread over a dozen passes.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

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
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        match self {
            Map::LeakyRelu { slope } => x.max(slope * x),
            Map::Clamp { low, high } => x.clamp(low, high),
        }
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        match self {
            Map::LeakyRelu { slope } => {
                if x > 0.0 {
                    1.0
                } else {
                    slope
                }
            }
            Map::Clamp { low, high } => {
                if x >= low && x <= high {
                    1.0
                } else {
                    0.0
                }
            }
        }
    }
}

/// Applies `function` to every element.
///
/// # Errors
/// The tensor is not of floats.
pub fn map(xs: &Tensor, function: Map) -> Result<Tensor> {
    if super::fused(xs) {
        return xs.contiguous()?.apply_op1(function);
    }
    match function {
        Map::LeakyRelu { slope } => xs.maximum(&(xs * f64::from(slope))?),
        Map::Clamp { low, high } => xs.clamp(low, high),
    }
}

impl CustomOp1 for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let ys = values(self.name(), storage, layout)?.iter().map(|&x| self.value(x)).collect();
        Ok((CpuStorage::F32(ys), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(arg.contiguous()?.apply_op2_no_bwd(&grad.contiguous()?, &MapGradient(*self))?))
    }
}

struct MapGradient(Map);

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
        let (xs, grad) = (values(self.name(), s1, l1)?, values(self.name(), s2, l2)?);
        let out = xs.iter().zip(grad).map(|(&x, g)| self.0.slope(x) * g).collect();
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}
