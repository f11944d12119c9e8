//! Convolutions of three taps with half of the multiplications: four neighbouring outputs from six products instead of
//! twelve (Winograd's F(4, 3), [Lavin and Gray 2016](https://arxiv.org/abs/1509.09308)).
//!
//! Neighbours are a dilation apart. In f32 it costs about one digit of accuracy.

use super::ops::vectorized;

/// Outputs of a tile.
pub const OUTPUTS: usize = 4;
/// Inputs of a tile, and products.
pub const POINTS: usize = OUTPUTS + 2;

/// The three taps of a weight, as the products take them.
pub fn taps([a, b, c]: [f32; 3]) -> [f32; POINTS] {
    let (even, odd) = ((a + c) / 6.0, b / 6.0);
    let (even2, odd2) = (a / 24.0 + c / 6.0, b / 12.0);
    [a / 4.0, -even - odd, odd - even, even2 + odd2, even2 - odd2, c]
}

vectorized! {
    /// Six rows, `step` apart in `xs` from `first` on, as the products take them: row `p` to `out` at `p × pitch`.
    pub fn inputs(xs: &[f32], first: usize, step: usize, out: &mut [f32], pitch: usize, width: usize) -> () {
        let row = |p: usize| &xs[first + p * step..][..width];
        let (x0, x1, x2, x3, x4, x5) = (row(0), row(1), row(2), row(3), row(4), row(5));
        let (out0, rest) = out.split_at_mut(pitch);
        let (out1, rest) = rest.split_at_mut(pitch);
        let (out2, rest) = rest.split_at_mut(pitch);
        let (out3, rest) = rest.split_at_mut(pitch);
        let (out4, out5) = rest.split_at_mut(pitch);
        let (out0, out1, out2) = (&mut out0[..width], &mut out1[..width], &mut out2[..width]);
        let (out3, out4, out5) = (&mut out3[..width], &mut out4[..width], &mut out5[..width]);
        for i in 0..width {
            let (even, odd) = (x4[i] - 4.0 * x2[i], x3[i] - 4.0 * x1[i]);
            let (even2, odd2) = (x4[i] - x2[i], 2.0 * (x3[i] - x1[i]));
            out0[i] = 4.0 * x0[i] - 5.0 * x2[i] + x4[i];
            out1[i] = even + odd;
            out2[i] = even - odd;
            out3[i] = even2 + odd2;
            out4[i] = even2 - odd2;
            out5[i] = 4.0 * x1[i] - 5.0 * x3[i] + x5[i];
        }
    }
}

/// The outputs of a tile from one value of each product.
#[inline(always)]
pub fn outputs(m: [f32; POINTS]) -> [f32; OUTPUTS] {
    let (even, odd) = (m[1] + m[2], m[1] - m[2]);
    let (even2, odd2) = (m[3] + m[4], m[3] - m[4]);
    [m[0] + even + even2, odd + 2.0 * odd2, even + 4.0 * even2, odd + 8.0 * odd2 + m[5]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_products_are_twelve() {
        let xs = [0.3f32, -1.2, 0.7, 2.0, -0.4, 1.1];
        let weights = [0.5f32, -0.8, 0.9];
        let mut transformed = [0f32; POINTS];
        inputs(&xs, 0, 1, &mut transformed, 1, 1);
        let mut products = taps(weights);
        products.iter_mut().zip(transformed).for_each(|(product, x)| *product *= x);
        for (t, y) in outputs(products).into_iter().enumerate() {
            let expected: f32 = weights.iter().zip(&xs[t..]).map(|(w, x)| w * x).sum();
            assert!((y - expected).abs() < 1e-5, "{t}: {y} and {expected}");
        }
    }
}
