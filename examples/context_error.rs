//! What streaming a published, non-causal WaveGlow costs in exactness and in work, by the context of each window:
//! `cargo run --release --example context_error -- 64` (channels; the published model has 256)
//!
//! The flows have the published depth, dilations and early outputs, and random weights: the context that is exact depends
//! on no weight, the error below it does.

use std::sync::Arc;
use std::time::Instant;

use candle_core::Device;
use fastglow::nn::Params;
use fastglow::vocoder::{Config, Context, Inversion, Noise, PhraseInput, Stream, WaveGlow};

const FRAMES: usize = 192;
const WINDOW_FRAMES: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let channels = std::env::args().nth(1).map_or(Ok(64), |text| text.parse())?;
    let mut config = Config::published();
    config.wavenet.channels = channels;
    let weights = WaveGlow::untrained(&config, 1)?.into_iter().collect();
    let mut model = WaveGlow::new(&config, &Params::float(weights, &Device::Cpu))?;
    model.prepare_synthesis(Inversion::Lu)?;
    let model = Arc::new(model);
    let features: Vec<f32> =
        (0..FRAMES * config.mel_bands).map(|i| 2.0 * (i as f32 * 0.37).sin() - 5.0).collect();
    let input = PhraseInput { features: &features, excitation: None, context: Context::default() };
    let noise = Noise::Seeded { seed: 7, scale: 0.6 };
    let start = Instant::now();
    let whole = model.infer(&input, &noise)?;
    let whole_s = start.elapsed().as_secs_f64();
    println!("context, frames | largest error | signal to error, dB | time against the whole");
    for context_frames in [0, 8, 16, 32, 64, 96] {
        let context = context_frames * config.groups_per_frame();
        let mut stream = Stream::with_context(model.clone(), noise.clone(), context)?;
        let start = Instant::now();
        stream.push(&input)?;
        let mut samples = Vec::new();
        while stream.pending_frames() > 0 {
            samples.extend(stream.step(WINDOW_FRAMES)?);
        }
        samples.extend(stream.flush()?);
        let time = start.elapsed().as_secs_f64() / whole_s;
        let errors = || whole.iter().zip(&samples).map(|(a, b)| a - b);
        let most = errors().fold(0.0f32, |most, error| most.max(error.abs()));
        let energy: f32 = whole.iter().map(|sample| sample * sample).sum();
        let ratio_db = 10.0 * (energy / errors().map(|error| error * error).sum::<f32>()).log10();
        println!("{context_frames} | {most:.2e} | {ratio_db:.1} | {time:.2}");
    }
    Ok(())
}
