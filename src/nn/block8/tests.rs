use half::f16;

use super::*;

/// Numbers from −1 to 1 that look random.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }

    /// Stored blocks, every integer among them, and the weights that they stand for.
    fn blocks(&mut self, count: usize) -> (Vec<u8>, Vec<f32>) {
        let (mut stored, mut weights) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let scale = f16::from_f32(0.01 * self.next());
            stored.extend(scale.to_le_bytes());
            for _ in 0..BLOCK {
                let integer = (128.5 * self.next()) as i8;
                stored.push(integer as u8);
                weights.push(scale.to_f32() * f32::from(integer));
            }
        }
        (stored, weights)
    }
}

/// Rows, outputs, inputs: whole tiles, edges of every kind, products of several threads.
const SHAPES: [(usize, usize, usize); 12] = [
    (1, 1, 32),
    (1, 8, 32),
    (2, 7, 64),
    (3, 9, 96),
    (4, 16, 128),
    (5, 17, 160),
    (6, 24, 32),
    (7, 31, 704),
    (8, 80, 192),
    (13, 2, 608),
    (64, 256, 384),
    (150, 256, 704),
];

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn matrix(numbers: &mut Numbers, outputs: usize, inputs: usize) -> (Matrix8, Vec<f32>) {
    let (stored, weights) = numbers.blocks(outputs * inputs / BLOCK);
    (Matrix8::from_q8_0(&stored, outputs, inputs).unwrap(), weights)
}

#[test]
fn products_are_those_of_the_weights_to_the_inputs_rounding() {
    let mut numbers = Numbers(1);
    for (rows, outputs, inputs) in SHAPES {
        let (matrix, weights) = matrix(&mut numbers, outputs, inputs);
        let xs = numbers.values(rows * inputs);
        let ys = matrix.product(&xs).unwrap();
        assert_eq!(ys.len(), rows * outputs);
        for (row, xs) in xs.chunks_exact(inputs).enumerate() {
            for (output, weights) in weights.chunks_exact(inputs).enumerate() {
                let (mut want, mut bound) = (0f64, 0f64);
                for (xs, weights) in xs.chunks_exact(BLOCK).zip(weights.chunks_exact(BLOCK)) {
                    // An integer is half a step away at most, a step being a 127th of the block's largest value.
                    let step = xs.iter().fold(0f32, |largest, x| largest.max(x.abs())) / 127.0;
                    for (&x, &weight) in xs.iter().zip(weights) {
                        want += f64::from(x) * f64::from(weight);
                        // The rest: three roundings of a block's sum, and those of the sum over blocks.
                        let rounding = f64::from(x.abs()) * 32.0 * f64::from(f32::EPSILON);
                        bound += f64::from(weight.abs()) * (0.500_1 * f64::from(step) + rounding);
                    }
                }
                let error = (f64::from(ys[row * outputs + output]) - want).abs();
                assert!(error <= bound, "{rows} × {outputs} × {inputs}: {error} > {bound}");
            }
        }
    }
}

#[test]
fn all_instructions_give_the_same_bits() {
    let mut numbers = Numbers(2);
    for (rows, outputs, inputs) in SHAPES {
        let (matrix, _) = matrix(&mut numbers, outputs, inputs);
        let xs = numbers.values(rows * inputs);
        let want = matrix.product_by(Instructions::Portable, &xs).unwrap();
        for instructions in Instructions::all() {
            let got = matrix.product_by(instructions, &xs).unwrap();
            assert_eq!(bits(&got), bits(&want), "{instructions:?}, {rows} × {outputs} × {inputs}");
        }
    }
}

#[test]
fn all_processors_give_the_same_bits() {
    let mut numbers = Numbers(3);
    let (matrix, _) = matrix(&mut numbers, 20, 96);
    let ys = matrix.product(&numbers.values(6 * 96)).unwrap();
    let sum = bits(&ys).iter().fold(0u32, |sum, bits| sum.rotate_left(5) ^ bits);
    // Taken on x86 with VNNI, and met on an emulated ARM.
    assert_eq!(sum, 2_467_420_166);
}

#[test]
fn a_row_does_not_depend_on_its_neighbours_nor_on_threads() {
    let mut numbers = Numbers(4);
    for (rows, outputs, inputs) in SHAPES {
        let (matrix, _) = matrix(&mut numbers, outputs, inputs);
        let xs = numbers.values(rows * inputs);
        let whole = bits(&matrix.product(&xs).unwrap());
        for rows in [1, 2, 3, 5, 8] {
            let parts = xs.chunks(rows * inputs).flat_map(|xs| matrix.product(xs).unwrap());
            assert_eq!(bits(&parts.collect::<Vec<_>>()), whole);
        }
        for threads in [1, 2, 3, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(bits(&pool.install(|| matrix.product(&xs)).unwrap()), whole, "{threads} threads");
        }
    }
}

#[test]
fn wild_inputs_spoil_their_row_and_no_other() {
    let mut numbers = Numbers(5);
    let (rows, outputs, inputs) = (9, 19, 96);
    let (matrix, _) = matrix(&mut numbers, outputs, inputs);
    let tame = numbers.values(rows * inputs);
    let want = matrix.product(&tame).unwrap();
    for instructions in Instructions::all() {
        for wild in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut xs = tame.clone();
            xs[4 * inputs + 40] = wild;
            let ys = matrix.product_by(instructions, &xs).unwrap();
            for (row, (got, want)) in ys.chunks(outputs).zip(want.chunks(outputs)).enumerate() {
                match row {
                    4 => assert!(got.iter().all(|y| !y.is_finite()), "{instructions:?} {wild}: {got:?}"),
                    _ => assert_eq!(bits(got), bits(want)),
                }
            }
        }
    }
}

#[test]
fn the_range_of_inputs_is_that_of_floats() {
    let mut numbers = Numbers(6);
    let (matrix, weights) = matrix(&mut numbers, 3, 64);
    let xs = numbers.values(64);
    let want = matrix.product(&xs).unwrap();
    for exponent in [-100, -60, -1, 60, 120] {
        // Powers of two change no rounding.
        let scale = 2f32.powi(exponent);
        let scaled: Vec<f32> = xs.iter().map(|x| x * scale).collect();
        let got = matrix.product(&scaled).unwrap();
        assert_eq!(got, want.iter().map(|y| y * scale).collect::<Vec<_>>(), "2^{exponent}");
    }
    let sum = |row: &[f32]| row.iter().map(|weight| weight.abs()).sum::<f32>();
    let largest = weights.chunks(64).map(sum).fold(0.0, f32::max);
    for tiny in [0.0, f32::from_bits(1), 1e-40, -1e-38, f32::MIN_POSITIVE, 100.0 * f32::MIN_POSITIVE] {
        let ys = matrix.product(&[tiny; 64]).unwrap();
        assert!(ys.iter().all(|y| y.abs() <= largest * 1.01 * tiny.abs()), "{tiny:e}: {ys:?}");
    }
}

#[test]
fn sizes_are_checked() {
    let mut numbers = Numbers(7);
    let (stored, _) = numbers.blocks(6);
    assert!(Matrix8::from_q8_0(&stored, 3, 64).is_ok());
    for (outputs, inputs) in [(3, 63), (3, 32), (2, 64), (4, 64), (usize::MAX, 64), (3, usize::MAX)] {
        assert!(Matrix8::from_q8_0(&stored, outputs, inputs).is_err(), "{outputs} × {inputs}");
    }
    assert!(Matrix8::from_q8_0(&stored[1..], 3, 64).is_err());
    let matrix = Matrix8::from_q8_0(&stored, 3, 64).unwrap();
    assert!(matrix.product(&[0.0; 65]).is_err());
    assert_eq!(matrix.product(&[]).unwrap(), Vec::<f32>::new());
    for (outputs, inputs) in [(0, 64), (3, 0), (0, 0)] {
        let empty = Matrix8::from_q8_0(&[], outputs, inputs).unwrap();
        assert_eq!(empty.product(&[]).unwrap(), Vec::<f32>::new());
        assert_eq!(empty.product(&[1.0; 64]).is_ok(), inputs == 64);
    }
}
