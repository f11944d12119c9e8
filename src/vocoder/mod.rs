//! Mel becomes sound: WaveGlow in overlapping frames.

mod conditioner;
mod config;
mod denoiser;
mod gated;
mod lapped;
mod noise;
mod products;
mod stream;
mod untrained;
mod waveglow;
mod wavenet;

pub use conditioner::{Conditioned, Context};
pub use config::{Analysis, Conditioner, Config, ConfigError, Prior, WavenetConfig};
pub use denoiser::{Denoiser, DenoiserStream};
pub use lapped::Lapped;
pub use noise::Noise;
pub use products::Product;
pub use stream::{PhraseInput, Stream};
pub use waveglow::{FlowState, Inversion, Likelihood, WaveGlow};
pub use wavenet::{Wavenet, WavenetShape, WavenetState};
