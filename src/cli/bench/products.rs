//! What a vocoder's matrix products take by themselves: the least that its layers could take as they are published.

use std::hint::black_box;
use std::time::Duration;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device, Tensor};
use fastglow::nn::{Stored, Weight};
use fastglow::vocoder::{Product, WaveGlow};
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
    vocoder: &WaveGlow,
    format: Format,
    audio_s: f64,
    runs: u32,
) -> fastglow::Result<Vec<LayerTime>> {
    let (config, device) = (vocoder.config(), vocoder.device());
    let mut layers: Vec<(LayerTime, f64)> = Vec::new();
    for product in config.products() {
        let ms = product.count as f64
            * per_second_ms(audio_s, median(runs, bare(&product, format, audio_s, device)?)?.0);
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

fn per_second_ms(audio_s: f64, time: Duration) -> f64 {
    time.as_secs_f64() * 1e3 / audio_s
}

/// One product, over all rows of so much speech.
fn bare(
    product: &Product,
    format: Format,
    audio_s: f64,
    device: &Device,
) -> fastglow::Result<impl FnMut() -> fastglow::Result<()>> {
    let Product { layer, rows_per_second, outputs, inputs, .. } = *product;
    let rows = ((rows_per_second * audio_s) as usize).max(1);
    let weight = Tensor::rand(-0.1f32, 0.1, (outputs, inputs), &Device::Cpu)?;
    let dtype = format.of(layer, &weight);
    let weight = match dtype {
        dtype if dtype.block_size() > 1 => Weight::quantized(&Stored::pack(&weight, dtype)?, device)?,
        _ => Weight::Float(weight.to_device(device)?),
    };
    let xs = Tensor::rand(-1f32, 1., (rows, inputs), &Device::Cpu)?.to_device(device)?;
    let is_half = dtype == GgmlDType::F16 && !device.is_cpu();
    let (weight, xs) = match weight {
        Weight::Float(weight) if is_half => {
            (Weight::Float(weight.to_dtype(DType::F16)?), xs.to_dtype(DType::F16)?)
        }
        weight => (weight, xs),
    };
    let device = device.clone();
    Ok(move || {
        black_box(weight.matmul(&xs)?);
        // Cards work on after the call.
        Ok(device.synchronize()?)
    })
}
