//! The shape of a vocoder: data in the voice file, derived values as methods.

use serde::{Deserialize, Serialize};

use super::Denoiser;

/// How samples become the vectors on which the flows work. Both are orthonormal, so likelihoods compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Analysis {
    /// Consecutive samples side by side, as published.
    Squeeze {
        /// Samples per vector.
        group_samples: usize,
    },
    /// A lapped transform (MDCT, sine window): vectors are spectra of overlapping frames.
    Mdct {
        /// Bins per vector: the hop of the transform.
        bins: usize,
    },
}

/// How mel frames become the flows' conditioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Conditioner {
    /// A transposed convolution to sample rate, then grouped, as published.
    Upsample {
        /// Samples that one mel frame spreads over.
        kernel_samples: usize,
    },
    /// Convolutions at mel rate over mel, log-F0 and voicing; vectors within a hop share their conditioning.
    Frames {
        /// Channels of the conditioning.
        channels: usize,
        /// Whether a bidirectional GRU runs over the phrase.
        recurrent: bool,
    },
}

/// The density which the flows refine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// Mean 0, variance 1, as published.
    Standard,
    /// Mean and variance per channel from the conditioning.
    Density,
    /// As `Density`, with the mean filtered from a harmonic excitation (needs the MDCT).
    SourceFilter,
}

/// The network inside a coupling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WavenetConfig {
    /// Gated layers.
    pub layers: usize,
    /// Residual and skip channels.
    pub channels: usize,
    /// Taps; odd unless causal.
    pub kernel: usize,
    /// Layer `i` has dilation 2^(i mod this); 1 means no dilation.
    pub dilation_cycle: usize,
    /// Whether outputs see nothing later than themselves: streaming then keeps state and recomputes nothing.
    pub causal: bool,
}

impl WavenetConfig {
    /// Rows between the taps of layer `index`.
    pub fn dilation(&self, index: usize) -> usize {
        1 << (index % self.dilation_cycle)
    }

    /// Rows that an output sees on each side (non-causal) or before it (causal).
    pub fn context(&self) -> usize {
        let span: usize = (0..self.layers).map(|i| (self.kernel - 1) * self.dilation(i)).sum();
        if self.causal { span } else { span / 2 }
    }
}

/// A vocoder's shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Output rate.
    pub sample_rate_hz: u32,
    /// Samples per mel frame.
    pub hop_samples: usize,
    /// Mel bands.
    pub mel_bands: usize,
    /// Samples to vectors.
    pub analysis: Analysis,
    /// Mel to conditioning.
    pub conditioner: Conditioner,
    /// What the flows refine.
    pub prior: Prior,
    /// Flow steps; 0 leaves the prior alone.
    pub flows: usize,
    /// After every so many flows some channels leave early; 0 means never.
    pub early_every: usize,
    /// How many channels leave.
    pub early_size: usize,
    /// Inside the couplings.
    pub wavenet: WavenetConfig,
    /// Bound on |log scale| of the couplings; the published model has none.
    pub log_scale_limit: Option<f64>,
    /// Samples are divided by this before the analysis: the RMS of the training speech, 1 in published models.
    pub sample_rms: f64,
    /// Standard deviation of the latent noise at which the voice sounds best: 0.6 for the published weights.
    #[serde(default = "unit", skip_serializing_if = "is_unit")]
    pub noise_scale: f32,
    /// How much of the model's own hum the [`Denoiser`](super::Denoiser) takes out unless one says otherwise; 0 is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub denoise: f32,
}

fn is_zero(strength: &f32) -> bool {
    *strength == 0.0
}

fn unit() -> f32 {
    1.0
}

fn is_unit(scale: &f32) -> bool {
    *scale == 1.0
}

/// A vocoder configuration that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("vocoder config: {field}: {problem}")]
pub struct ConfigError {
    /// The field at fault.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Config {
    /// The native vocoder: MDCT, source-filter prior, causal flows.
    pub fn native() -> Self {
        Self {
            sample_rate_hz: 22_050,
            hop_samples: 256,
            mel_bands: 80,
            analysis: Analysis::Mdct { bins: 256 },
            conditioner: Conditioner::Frames { channels: 192, recurrent: false },
            prior: Prior::SourceFilter,
            flows: 4,
            early_every: 0,
            early_size: 0,
            wavenet: WavenetConfig { layers: 3, channels: 128, kernel: 3, dilation_cycle: 2, causal: true },
            log_scale_limit: Some(6.0),
            sample_rms: 0.1,
            noise_scale: 1.0,
            denoise: 0.0,
        }
    }

    /// The published WaveGlow of 256 channels.
    pub fn published() -> Self {
        Self {
            sample_rate_hz: 22_050,
            hop_samples: 256,
            mel_bands: 80,
            analysis: Analysis::Squeeze { group_samples: 8 },
            conditioner: Conditioner::Upsample { kernel_samples: 1024 },
            prior: Prior::Standard,
            flows: 12,
            early_every: 4,
            early_size: 2,
            wavenet: WavenetConfig { layers: 8, channels: 256, kernel: 3, dilation_cycle: 8, causal: false },
            log_scale_limit: None,
            sample_rms: 1.0,
            noise_scale: 0.6,
            denoise: 0.0,
        }
    }

    /// Channels of a vector: samples per flow step.
    pub fn group_samples(&self) -> usize {
        match self.analysis {
            Analysis::Squeeze { group_samples } => group_samples,
            Analysis::Mdct { bins } => bins,
        }
    }

    /// Vectors per mel frame.
    pub fn groups_per_frame(&self) -> usize {
        self.hop_samples / self.group_samples()
    }

    /// Mel frames per second.
    pub fn frames_per_second(&self) -> f64 {
        f64::from(self.sample_rate_hz) / self.hop_samples as f64
    }

    /// Whether the flows and the prior see a harmonic excitation.
    pub fn has_excitation(&self) -> bool {
        self.prior == Prior::SourceFilter
    }

    /// Whether it hums steadily enough for a [`Denoiser`](super::Denoiser): published models do.
    pub fn has_hum(&self) -> bool {
        self.prior == Prior::Standard
    }

    /// Values per frame that the conditioner takes: the log-mels, and for [`Conditioner::Frames`] log-F0 and voicing.
    pub fn feature_channels(&self) -> usize {
        match self.conditioner {
            Conditioner::Upsample { .. } => self.mel_bands,
            Conditioner::Frames { .. } => self.mel_bands + 2,
        }
    }

    /// Channels of one vector's conditioning as the flows see it.
    pub fn conditioning_channels(&self) -> usize {
        let excitation = if self.has_excitation() { 2 * self.group_samples() } else { 0 };
        excitation
            + match self.conditioner {
                Conditioner::Upsample { .. } => self.mel_bands * self.group_samples(),
                Conditioner::Frames { channels, .. } => channels,
            }
    }

    /// Channels still in the flow at step `flow`, counted in the analysis direction.
    pub fn flow_channels(&self, flow: usize) -> usize {
        let left = flow.checked_div(self.early_every).unwrap_or(0);
        self.group_samples() - left * self.early_size
    }

    /// Whether channels leave just before step `flow`.
    pub fn leaves_before(&self, flow: usize) -> bool {
        self.early_every > 0 && flow > 0 && flow.is_multiple_of(self.early_every)
    }

    /// Vectors on each side that a vector's value depends on, through all flows (non-causal ones).
    pub fn context_groups(&self) -> usize {
        self.flows * self.wavenet.context()
    }

    /// Checks that the shape can be built and is not absurd.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let fail = |field, problem: String| Err(ConfigError { field, problem });
        let within = |field, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError { field, problem: format!("expected {low} to {high}, got {value}") })
            }
        };
        within("sample_rate_hz", self.sample_rate_hz as usize, 8_000, 48_000)?;
        within("hop_samples", self.hop_samples, 16, 2048)?;
        within("mel_bands", self.mel_bands, 1, 256)?;
        within("group_samples", self.group_samples(), 2, 1024)?;
        within("flows", self.flows, 0, 32)?;
        within("wavenet.layers", self.wavenet.layers, 1, 16)?;
        within("wavenet.channels", self.wavenet.channels, 2, 1024)?;
        within("wavenet.kernel", self.wavenet.kernel, 1, 9)?;
        within("wavenet.dilation_cycle", self.wavenet.dilation_cycle, 1, 12)?;
        within("early_every", self.early_every, 0, 32)?;
        if self.log_scale_limit.is_some_and(|limit| !(0.1..=20.0).contains(&limit)) {
            return fail("log_scale_limit", "expected 0.1 to 20".into());
        }
        if !(0.0..=1.5).contains(&self.noise_scale) {
            return fail("noise_scale", format!("expected 0 to 1.5, got {}", self.noise_scale));
        }
        if !(0.0..=Denoiser::MAX_STRENGTH).contains(&self.denoise) {
            return fail(
                "denoise",
                format!("expected 0 to {}, got {}", Denoiser::MAX_STRENGTH, self.denoise),
            );
        }
        if self.denoise > 0.0 && !self.has_hum() {
            return fail("denoise", "expected 0 where the prior is no plain noise".into());
        }
        if !(1e-4..=1.0).contains(&self.sample_rms) {
            return fail("sample_rms", format!("expected 0.0001 to 1, got {}", self.sample_rms));
        }
        if !self.wavenet.causal && self.wavenet.kernel.is_multiple_of(2) {
            return fail("wavenet.kernel", format!("expected an odd kernel, got {}", self.wavenet.kernel));
        }
        if !self.hop_samples.is_multiple_of(self.group_samples()) {
            return fail("hop_samples", format!("expected a multiple of {} samples", self.group_samples()));
        }
        for flow in 0..self.flows {
            let left = flow.checked_div(self.early_every).unwrap_or(0).checked_mul(self.early_size);
            match left.and_then(|left| self.group_samples().checked_sub(left)) {
                Some(channels) if channels >= 2 && channels % 2 == 0 => {}
                _ => {
                    return fail(
                        "early_size",
                        format!("too few or an odd number of channels at flow {flow}"),
                    );
                }
            }
        }
        match self.conditioner {
            Conditioner::Upsample { kernel_samples } => {
                within("conditioner.kernel_samples", kernel_samples, self.hop_samples, 8 * self.hop_samples)?;
                if kernel_samples % self.hop_samples != 0 {
                    return fail("conditioner.kernel_samples", "expected a multiple of the hop".into());
                }
                if self.prior != Prior::Standard {
                    return fail("prior", "expected `standard` with an upsampling conditioner".into());
                }
            }
            Conditioner::Frames { channels, .. } => {
                within("conditioner.channels", channels, 2, 1024)?;
                if channels % 2 != 0 {
                    return fail("conditioner.channels", format!("expected an even number, got {channels}"));
                }
            }
        }
        let lapped_at_hop = self.analysis == Analysis::Mdct { bins: self.hop_samples };
        if self.prior == Prior::SourceFilter && !lapped_at_hop {
            return fail(
                "prior",
                "`source_filter` needs an MDCT of as many bins as the hop has samples".into(),
            );
        }
        Ok(())
    }
}
