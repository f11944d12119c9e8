//! The arrays of a file: what was asked for, what was compared, what is left.

use std::collections::BTreeSet;

use candle_core::Tensor;

use super::{Comparison, Measure, Report};
use crate::import::{Checkpoint, ImportError};

/// Relative to the largest value wanted: what float32 on another machine may differ by.
pub const USUAL: (Measure, f64) = (Measure::OfLargest, 1e-4);
/// Whole numbers.
pub const EXACT: (Measure, f64) = (Measure::Absolute, 0.0);

pub struct Arrays<'a> {
    file: &'a Checkpoint,
    used: BTreeSet<String>,
    missing: Vec<String>,
    compared: Vec<Comparison>,
}

impl<'a> Arrays<'a> {
    pub fn new(file: &'a Checkpoint) -> Self {
        Self { file, used: BTreeSet::new(), missing: Vec::new(), compared: Vec::new() }
    }

    pub fn contains(&self, name: &str) -> bool {
        self.file.tensors().contains_key(name)
    }

    /// All names in the file.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.file.tensors().keys().map(String::as_str)
    }

    /// An array that a comparison needs; if it is not there, that is noted.
    pub fn get(&mut self, name: &str) -> Result<Option<Tensor>, ImportError> {
        if !self.contains(name) {
            if !self.missing.iter().any(|missing| missing == name) {
                self.missing.push(name.to_owned());
            }
            return Ok(None);
        }
        self.used.insert(name.to_owned());
        Ok(Some(self.file.read(name)?))
    }

    /// The same, as numbers.
    pub fn values(&mut self, name: &str) -> Result<Option<Vec<f32>>, ImportError> {
        Ok(self.get(name)?.map(|tensor| tensor.flatten_all()?.to_vec1()).transpose()?)
    }

    /// Holds an output against the array of its name, if there is one.
    pub fn compare(&mut self, name: &str, got: &Tensor, how: (Measure, f64)) -> Result<(), ImportError> {
        let Some(want) = self.get(name)? else { return Ok(()) };
        let values = got.flatten_all()?.to_vec1::<f32>()?;
        let problem = (got.dims() != want.dims())
            .then(|| format!("expected the shape {:?}, got {:?}", want.dims(), got.dims()));
        let wanted = want.flatten_all()?.to_vec1::<f32>()?;
        self.note(name, problem, (&values, &wanted), how);
        Ok(())
    }

    /// The same for a list of numbers, whose shape is not looked at beyond its length.
    pub fn compare_values(
        &mut self,
        name: &str,
        got: &[f32],
        how: (Measure, f64),
    ) -> Result<(), ImportError> {
        let Some(want) = self.values(name)? else { return Ok(()) };
        let problem =
            (got.len() != want.len()).then(|| format!("expected {} values, got {}", want.len(), got.len()));
        self.note(name, problem, (got, &want), how);
        Ok(())
    }

    /// As [`Arrays::compare_values`], each value with a tolerance of its own: the error is counted in tolerances.
    pub fn compare_each(
        &mut self,
        name: &str,
        got: &[f32],
        tolerance: impl Fn(f32) -> f32,
    ) -> Result<(), ImportError> {
        let Some(want) = self.values(name)? else { return Ok(()) };
        let problem =
            (got.len() != want.len()).then(|| format!("expected {} values, got {}", want.len(), got.len()));
        let scaled = |values: &[f32]| -> Vec<f32> {
            values.iter().zip(&want).map(|(value, want)| (value - want) / tolerance(*want)).collect()
        };
        let (got, zero) = (scaled(got), vec![0.0; want.len()]);
        self.note(name, problem, (&got, &zero), (Measure::OfTolerance, 1.0));
        Ok(())
    }

    fn note(
        &mut self,
        array: &str,
        problem: Option<String>,
        (got, want): (&[f32], &[f32]),
        (measure, tolerance): (Measure, f64),
    ) {
        let scale = match measure {
            Measure::Absolute | Measure::OfTolerance => 1.0,
            // An array of zeros has no largest value: it is held against 1.
            Measure::OfLargest => match want.iter().fold(0f32, |top, value| top.max(value.abs())) {
                0.0 => 1.0,
                largest => f64::from(largest),
            },
        };
        // Not `max`, which passes over what is not a number.
        let worst = |worst: f64, (got, want): (&f32, &f32)| {
            let error = (f64::from(*got) - f64::from(*want)).abs() / scale;
            if error > worst || error.is_nan() { error } else { worst }
        };
        let error = got.iter().zip(want).fold(0.0, worst);
        let error = Some(error).filter(|error| problem.is_none() && error.is_finite());
        let is_within = error.is_some_and(|error| error <= tolerance);
        let array = array.to_owned();
        self.compared.push(Comparison { array, error, measure, tolerance, is_within, problem });
    }

    pub fn report(self) -> Report {
        let ignored = self.names().filter(|name| !self.used.contains(*name)).map(str::to_owned).collect();
        let is_within = self.compared.iter().all(|comparison| comparison.is_within);
        Report { is_within, compared: self.compared, missing: self.missing, ignored }
    }
}
