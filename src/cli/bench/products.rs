//! What a vocoder's matrix products take by themselves: the least that its layers could take as they are published.

use std::hint::black_box;

use candle_core::{Device, Tensor};
use fastglow::nn::{Stored, Weight};
use fastglow::vocoder::{Config, Product};
use serde::Serialize;

use super::published::Format;
use super::voice::median;

/// Time of a kind of layer.
#[derive(Debug, Serialize)]
pub struct LayerTime {
    pub layer: &'static str,
    /// Per second of speech.
    pub ms: f64,
    pub gmacs_per_second: f64,
}

/// Measures each product of `config` alone, over all rows of so much speech.
pub fn bare_products(
    config: &Config,
    format: Format,
    audio_s: f64,
    runs: u32,
) -> fastglow::Result<Vec<LayerTime>> {
    let mut layers: Vec<(LayerTime, f64)> = Vec::new();
    for product in config.products() {
        let ms = product.count as f64 * measure(&product, format, audio_s, runs)?;
        match layers.iter_mut().find(|(time, _)| time.layer == product.layer) {
            Some((time, macs)) => {
                time.ms += ms;
                *macs += product.macs_per_second();
            }
            None => {
                let time = LayerTime { layer: product.layer, ms, gmacs_per_second: 0.0 };
                layers.push((time, product.macs_per_second()));
            }
        }
    }
    let finish =
        |(time, macs): (LayerTime, f64)| LayerTime { gmacs_per_second: macs / time.ms / 1e6, ..time };
    Ok(layers.into_iter().map(finish).collect())
}

/// Milliseconds of one product per second of speech.
fn measure(product: &Product, format: Format, audio_s: f64, runs: u32) -> fastglow::Result<f64> {
    let Product { layer, rows_per_second, outputs, inputs, .. } = *product;
    let rows = ((rows_per_second * audio_s) as usize).max(1);
    let weight = Tensor::rand(-0.1f32, 0.1, (outputs, inputs), &Device::Cpu)?;
    let weight = match format.of(layer, &weight) {
        dtype if dtype.block_size() > 1 => Weight::quantized(&Stored::pack(&weight, dtype)?, &Device::Cpu)?,
        _ => Weight::Float(weight),
    };
    let xs = Tensor::rand(-1f32, 1., (rows, inputs), &Device::Cpu)?;
    let (time, _) = median(runs, || Ok(black_box(weight.matmul(&xs)?)))?;
    Ok(time.as_secs_f64() * 1e3 / audio_s)
}
