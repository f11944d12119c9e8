//! Small square matrices: inverse by LU and by Newton-Schulz, log-determinant, and their gradients.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, bail};

use super::ops::{values, vectorized};

/// A pivot this small, beside the largest element and the size, is what rounding leaves of a column that depends on the
/// others. The weights are f32: their own rounding is hundreds of times larger.
const SINGULAR: f64 = 1e-10;

/// A matrix factored by LU with partial pivoting, in f64.
pub struct Lu {
    size: usize,
    /// L below the diagonal (unit diagonal implied), U on and above it, row-major.
    factors: Vec<f64>,
    /// Row `i` of the factors was row `pivots[i]` of the matrix.
    pivots: Vec<usize>,
    sign: f64,
}

impl Lu {
    /// Factors a row-major `size × size` matrix.
    ///
    /// # Errors
    /// The matrix is singular, not finite, or not square.
    pub fn new(size: usize, matrix: &[f32]) -> Result<Self> {
        if matrix.len() != size * size {
            bail!("lu: expected {} values, got {}", size * size, matrix.len());
        }
        if matrix.iter().any(|x| !x.is_finite()) {
            bail!("lu: the matrix is not finite");
        }
        let factors: Vec<f64> = matrix.iter().map(|&x| f64::from(x)).collect();
        let top = factors.iter().fold(0.0, |top: f64, x| top.max(x.abs()));
        let smallest_pivot = SINGULAR * top * size as f64;
        let mut lu = Self { size, factors, pivots: (0..size).collect(), sign: 1.0 };
        match eliminate(&mut lu, smallest_pivot) {
            None => Ok(lu),
            Some(column) => bail!("lu: the matrix is singular at column {column}"),
        }
    }

    /// Gaussian elimination in place; the column without a usable pivot, if there is one.
    #[inline(always)]
    fn eliminate(&mut self, smallest_pivot: f64) -> Option<usize> {
        let size = self.size;
        for first in (0..size).step_by(BLOCK) {
            let end = (first + BLOCK).min(size);
            // The block's own columns, one by one.
            for column in first..end {
                let (best, largest) = (column..size)
                    .map(|row| (row, self.factors[row * size + column].abs()))
                    .fold((column, -1.0), |best, next| if next.1 > best.1 { next } else { best });
                if !(largest > smallest_pivot && largest.is_finite()) {
                    return Some(column);
                }
                if best != column {
                    self.pivots.swap(best, column);
                    self.sign = -self.sign;
                    let (upper, lower) = self.factors.split_at_mut(best * size);
                    upper[column * size..(column + 1) * size].swap_with_slice(&mut lower[..size]);
                }
                let (upper, lower) = self.factors.split_at_mut((column + 1) * size);
                let pivot_row = &upper[column * size..];
                let inverse = 1.0 / pivot_row[column];
                for row in lower.chunks_exact_mut(size) {
                    let factor = row[column] * inverse;
                    row[column] = factor;
                    subtract(&mut row[column + 1..end], &[factor], &pivot_row[column + 1..], size);
                }
            }
            // Then all of them at once from the columns behind: first in the block's rows, which depend on each other.
            let (upper, lower) = self.factors.split_at_mut(end * size);
            for row in first + 1..end {
                let (done, rest) = upper.split_at_mut(row * size);
                let (factors, behind) = rest[first..size].split_at_mut(end - first);
                subtract(behind, &factors[..row - first], &done[first * size + end..], size);
            }
            for row in lower.chunks_exact_mut(size) {
                let (factors, behind) = row[first..].split_at_mut(end - first);
                subtract(behind, factors, &upper[first * size + end..], size);
            }
        }
        None
    }

    /// Sign and natural logarithm of the absolute determinant.
    pub fn sign_log_abs_det(&self) -> (f64, f64) {
        (0..self.size)
            .map(|i| self.factors[i * self.size + i])
            .fold((self.sign, 0.0), |(sign, log), u| (sign * u.signum(), log + u.abs().ln()))
    }

    /// The inverse, row-major.
    pub fn inverse(&self) -> Vec<f64> {
        solve_identity(self)
    }

    #[inline(always)]
    fn solve_identity(&self) -> Vec<f64> {
        let n = self.size;
        let mut x = vec![0f64; n * n];
        for (row, &pivot) in self.pivots.iter().enumerate() {
            x[row * n + pivot] = 1.0;
        }
        // Whole rows at a time, so that the inner loops run over contiguous memory; a block of rows for each block of
        // rows that is done, so that the latter is read from the cache.
        for first in (0..n).step_by(BLOCK) {
            let end = (first + BLOCK).min(n);
            let (done, rest) = x.split_at_mut(first * n);
            for k in (0..first).step_by(BLOCK) {
                for (row, target) in (first..end).zip(rest.chunks_exact_mut(n)) {
                    subtract(target, &self.factors[row * n + k..row * n + k + BLOCK], &done[k * n..], n);
                }
            }
            for row in first + 1..end {
                let (done, target) = rest.split_at_mut((row - first) * n);
                subtract(&mut target[..n], &self.factors[row * n + first..row * n + row], done, n);
            }
        }
        for first in (0..n).step_by(BLOCK).rev() {
            let end = (first + BLOCK).min(n);
            let (head, done) = x.split_at_mut(end * n);
            let block = &mut head[first * n..];
            for k in (end..n).step_by(BLOCK) {
                let past = (k + BLOCK).min(n);
                for (row, target) in (first..end).zip(block.chunks_exact_mut(n)) {
                    subtract(target, &self.factors[row * n + k..row * n + past], &done[(k - end) * n..], n);
                }
            }
            for row in (first..end).rev() {
                let (target, done) = block[(row - first) * n..].split_at_mut(n);
                subtract(target, &self.factors[row * n + row + 1..row * n + end], done, n);
                let scale = 1.0 / self.factors[row * n + row];
                target.iter_mut().for_each(|v| *v *= scale);
            }
        }
        x
    }
}

vectorized! {
    fn eliminate(lu: &mut Lu, smallest_pivot: f64) -> Option<usize> {
        lu.eliminate(smallest_pivot)
    }

    fn solve_identity(lu: &Lu) -> Vec<f64> {
        lu.solve_identity()
    }
}

/// Rows that are worked on together: few enough for the cache next to the processor at 256 columns.
const BLOCK: usize = 8;

/// Subtracts `factors[k]` times row k of `rows`, which lie `stride` apart, from `target`, for all k.
#[inline(always)]
fn subtract(target: &mut [f64], factors: &[f64], rows: &[f64], stride: usize) {
    let width = target.len();
    let mut first = 0;
    while first + 4 <= factors.len() {
        let row = |k: usize| &rows[(first + k) * stride..][..width];
        let (f, r0, r1, r2, r3) = (&factors[first..first + 4], row(0), row(1), row(2), row(3));
        for i in 0..width {
            target[i] -= f[0] * r0[i] + f[1] * r1[i] + (f[2] * r2[i] + f[3] * r3[i]);
        }
        first += 4;
    }
    for k in first..factors.len() {
        let (factor, row) = (factors[k], &rows[k * stride..][..width]);
        target.iter_mut().zip(row).for_each(|(t, r)| *t -= factor * r);
    }
}

/// The inverse of `weight [n, n]`, by LU; differentiable.
///
/// # Errors
/// The matrix is singular or not square.
pub fn inverse(weight: &Tensor) -> Result<Tensor> {
    on_cpu(weight)?.apply_op1(Inverse)?.to_device(weight.device())
}

/// `log |det weight|` of `[n, n]` as a scalar; differentiable (its gradient is W⁻ᵀ).
///
/// # Errors
/// The matrix is singular or not square.
pub fn log_abs_det(weight: &Tensor) -> Result<Tensor> {
    on_cpu(weight)?.apply_op1(LogAbsDet(OnceLock::new()))?.to_device(weight.device())
}

/// Iterations after which [`newton_inverse`] gives up.
const ITERATIONS: usize = 60;

/// The inverse of `weight [n, n]` by Newton's iteration in Schulz's form, X ← X(2I − WX), from Wᵀ / (‖W‖₁ ‖W‖∞), which
/// converges for every regular matrix ([Ben-Israel and Cohen 1966](https://doi.org/10.1137/0703035)).
///
/// # Errors
/// The residual ‖I − WX‖ (Frobenius) does not fall below `tolerance` within 60 iterations, two for each binary digit of
/// a condition number of 10⁹: the matrix is singular or nearly so.
pub fn newton_inverse(weight: &Tensor, tolerance: f64) -> Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    if rows != columns {
        bail!("newton inverse: expected a square matrix, got {rows} × {columns}");
    }
    // In f64: in f32 rounding alone keeps the residual of a large matrix above useful tolerances.
    let matrix = weight.to_dtype(DType::F64)?;
    let norm_1 = matrix.abs()?.sum(0)?.max(0)?.to_scalar::<f64>()?;
    let norm_inf = matrix.abs()?.sum(1)?.max(0)?.to_scalar::<f64>()?;
    let identity = Tensor::eye(rows, DType::F64, weight.device())?;
    let mut x = (matrix.t()?.contiguous()? / (norm_1 * norm_inf))?;
    let mut size = f64::INFINITY;
    for _ in 0..ITERATIONS {
        let residual = (&identity - matrix.matmul(&x)?)?;
        size = residual.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt();
        if size < tolerance {
            return x.to_dtype(weight.dtype());
        }
        if !size.is_finite() {
            break;
        }
        x = (&x + x.matmul(&residual)?)?;
    }
    bail!(
        "newton inverse: a residual of {size:.1e} is left, above {tolerance:.1e}; the matrix is nearly singular"
    )
}

fn on_cpu(weight: &Tensor) -> Result<Tensor> {
    weight.to_device(&Device::Cpu)?.contiguous()
}

fn factor(op: &str, storage: &CpuStorage, layout: &Layout) -> Result<Lu> {
    let (rows, columns) = layout.shape().dims2()?;
    if rows != columns {
        bail!("{op}: expected a square matrix, got {rows} × {columns}");
    }
    Lu::new(rows, values(op, storage, layout)?)
}

struct Inverse;

impl CustomOp1 for Inverse {
    fn name(&self) -> &'static str {
        "inverse"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let inverse = factor(self.name(), storage, layout)?.inverse();
        Ok((CpuStorage::F32(inverse.into_iter().map(|x| x as f32).collect()), layout.shape().clone()))
    }

    fn bwd(&self, _arg: &Tensor, inverse: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let transposed = inverse.t()?;
        Ok(Some(transposed.matmul(&grad.contiguous()?)?.matmul(&transposed)?.neg()?))
    }
}

/// Keeps the factors of the forward pass for the gradient.
struct LogAbsDet(OnceLock<Lu>);

impl CustomOp1 for LogAbsDet {
    fn name(&self) -> &'static str {
        "log-abs-det"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let lu = factor(self.name(), storage, layout)?;
        let (_, log) = self.0.get_or_init(|| lu).sign_log_abs_det();
        Ok((CpuStorage::F32(vec![log as f32]), Shape::from(())))
    }

    fn bwd(&self, weight: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some(lu) = self.0.get() else { bail!("{}: the gradient comes before the value", self.name()) };
        let inverse: Vec<f32> = lu.inverse().into_iter().map(|x| x as f32).collect();
        let inverse = Tensor::from_vec(inverse, weight.shape(), weight.device())?;
        Ok(Some(inverse.t()?.contiguous()?.broadcast_mul(grad)?))
    }
}
