//! What differs between acoustic models is data: sizes, layout and parts.

use serde::{Deserialize, Serialize};

use super::Error;
use crate::phoneme::{PHRASE_POSITION_COUNT, SYMBOL_COUNT, WordPosition};

/// How the blocks are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Our own: embeddings and positions concatenated and projected, attention joined with its block's input, a
    /// distribution over durations, Gaussian variances, a convolutional decoder with a pitch track.
    Native,
    /// As published, [`Model`] by model: sums instead of concatenations, duration regression, an attention decoder.
    Published,
}

/// Which published model it is, where the layout is [`Layout::Published`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// FastSpeech 2 ([Ren et al. 2020](https://arxiv.org/abs/2006.04558), ming024's code): logarithms of durations, quantised
    /// pitch and energy.
    #[default]
    FastSpeech2,
    /// FastSpeech ([Ren et al. 2019](https://arxiv.org/abs/1905.09263), xcmyz's code): letters, durations in frames, neither
    /// pitch nor energy, a post-net that listens both ways. Positions count from 1.
    FastSpeech1,
    /// FastPitch ([Łańcucki 2020](https://arxiv.org/abs/2006.06873), NVIDIA's code): logarithms of durations, pitch and, since
    /// 1.1, energy as they are. Sines stand before cosines in its positions.
    FastPitch,
}

/// A part of the post-net. The parts run in the order given, each on the mel that the one before it left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PostNetPart {
    /// Two fully connected layers with ReLU and one with tanh, added to the mel: refines each frame by itself.
    HighBand {
        /// Units of the two hidden layers.
        width: usize,
    },
    /// A convolution of two taps over a reflected edge, tanh, added to its input.
    Wavenet,
    /// A gated convolution: to half the bands, a 1 × 1 layer whose output has a bounded L1 norm, back, ReLU, added.
    Gated {
        /// Taps of the first convolution.
        kernel: usize,
        /// Bound of the L1 norm of each frame's channels.
        bound: f32,
    },
    /// The published post-net: convolutions with batch normalisation, tanh between them, added to the mel.
    Convolutions {
        /// Channels between the layers.
        width: usize,
        /// Taps of every layer.
        kernel: usize,
        /// Number of layers.
        layers: usize,
    },
    /// Convolutions of 1, 2, 3 … taps side by side, two more, highways, and a GRU that reads both ways
    /// ([Wang et al. 2017](https://arxiv.org/abs/1703.10135)), projected and added to the mel.
    Cbhg {
        /// Convolutions side by side; the last has as many taps.
        banks: usize,
        /// Channels between the two convolutions after them.
        width: usize,
        /// Number of highways.
        highways: usize,
    },
}

/// The shape of an acoustic model, as stored in a voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How the blocks are joined.
    pub layout: Layout,
    /// Which published model it is (published).
    #[serde(default, skip_serializing_if = "is_default")]
    pub model: Model,
    /// Rows of the symbol table, padding (0) included.
    pub symbols: usize,
    /// Mel bands.
    pub mels: usize,
    /// Width of the encoder and the decoder.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of one head (published); 0 for an equal share of the width.
    #[serde(default, skip_serializing_if = "is_default")]
    pub head_width: usize,
    /// Width of a symbol's vector (native; the published layout uses `width`).
    pub symbol_width: usize,
    /// Width of a word position's and of a phrase position's vector (native).
    pub prosody_width: usize,
    /// Width of the sinusoidal position encoding (native).
    pub position_width: usize,
    /// FFT blocks of the encoder.
    pub encoder_blocks: usize,
    /// Taps of the encoder's first feed-forward convolution.
    pub encoder_kernel: usize,
    /// Channels between the encoder's feed-forward convolutions.
    pub encoder_filter: usize,
    /// Blocks of the decoder.
    pub decoder_blocks: usize,
    /// Taps of the decoder's convolutions.
    pub decoder_kernel: usize,
    /// Taps of the second feed-forward convolution (published); 0 for one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub contract_kernel: usize,
    /// Channels between the decoder's feed-forward layers.
    pub decoder_filter: usize,
    /// Width of the predictors.
    pub predictor_width: usize,
    /// Taps of the predictors' layers; one entry a layer.
    pub predictor_kernels: Vec<usize>,
    /// Discrete durations 0 ..= bins − 1 frames (native); longer ones count as the last.
    pub duration_bins: usize,
    /// Rows of the pitch and energy tables (published).
    pub variance_bins: usize,
    /// The post-net's parts, in order.
    pub post_net: Vec<PostNetPart>,
    /// Dropout in training.
    pub dropout: f32,
    /// Rows of the table of speakers (published); 0 where there is one speaker and no table.
    #[serde(default, skip_serializing_if = "is_default")]
    pub speakers: usize,
    /// Whether energy is predicted (FastPitch).
    #[serde(default, skip_serializing_if = "is_default")]
    pub energy: bool,
    /// What normalised pitch and energy stand for (published), if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<PublishedStatistics>,
}

/// Mean and standard deviation of what a published model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedStatistics {
    /// Of the pitch of phones, in Hz.
    pub pitch_hz: [f32; 2],
    /// Of the energy of phones: the norm of a frame's magnitude spectrum.
    pub energy: [f32; 2],
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for Config {
    /// The bundled voice's model.
    fn default() -> Self {
        Self {
            layout: Layout::Native,
            model: Model::default(),
            symbols: SYMBOL_COUNT,
            mels: 80,
            width: 192,
            heads: 2,
            head_width: 0,
            symbol_width: 128,
            prosody_width: 16,
            position_width: 64,
            encoder_blocks: 4,
            encoder_kernel: 5,
            encoder_filter: 384,
            decoder_blocks: 6,
            decoder_kernel: 7,
            contract_kernel: 0,
            decoder_filter: 576,
            predictor_width: 128,
            predictor_kernels: vec![1, 3, 3],
            duration_bins: 64,
            variance_bins: 0,
            post_net: vec![
                PostNetPart::HighBand { width: 128 },
                PostNetPart::Wavenet,
                PostNetPart::Gated { kernel: 3, bound: 1.0 },
            ],
            dropout: 0.1,
            speakers: 0,
            energy: false,
            statistics: None,
        }
    }
}

/// Frames a second at 22,050 Hz and a hop of 256 samples.
pub const FRAMES_PER_SECOND: f64 = 22_050.0 / 256.0;
/// Phones that a second of speech is reckoned to hold in [`Config::macs_per_second`]; fluent English has 10 to 14.
const PHONES_PER_SECOND: f64 = 14.0;

/// Values that the native variance predictor describes per token: log-F0, voicing, energy.
pub const VARIANCES: usize = 3;
/// Features of a frame's place in its phone.
pub(super) const FRAME_FEATURES: usize = 4;

impl Config {
    /// The published FastSpeech 2 sizes (35 M parameters).
    pub fn published() -> Self {
        Self {
            layout: Layout::Published,
            model: Model::FastSpeech2,
            symbols: 361,
            mels: 80,
            width: 256,
            heads: 2,
            head_width: 0,
            symbol_width: 256,
            prosody_width: 0,
            position_width: 256,
            encoder_blocks: 4,
            encoder_kernel: 9,
            encoder_filter: 1024,
            decoder_blocks: 6,
            decoder_kernel: 9,
            contract_kernel: 0,
            decoder_filter: 1024,
            predictor_width: 256,
            predictor_kernels: vec![3, 3],
            duration_bins: 1,
            variance_bins: 256,
            post_net: vec![PostNetPart::Convolutions { width: 512, kernel: 5, layers: 5 }],
            dropout: 0.2,
            speakers: 0,
            energy: false,
            statistics: None,
        }
    }

    /// Whether its table of symbols has the phones of pinyin.
    pub fn reads_pinyin(&self) -> bool {
        self.layout == Layout::Published && self.model == Model::FastSpeech2
    }

    /// Checks every size, so that a hostile voice cannot ask for absurd ones.
    ///
    /// # Errors
    /// A size is zero, beyond its limit, or does not fit another; the first one found is named.
    pub fn validate(&self) -> Result<(), Error> {
        let native = self.layout == Layout::Native;
        if native
            && (self.model != Model::default() || self.head_width + self.contract_kernel > 0 || self.energy)
        {
            let published = "nothing that belongs to the published layout alone";
            return Err(bad("layout", published, "model, head_width, contract_kernel or energy"));
        }
        let has_bins = !native && self.model == Model::FastSpeech2;
        let limits = [
            ("symbols", self.symbols, 2, 4096),
            ("mels", self.mels, 2, 256),
            ("width", self.width, 2, 1024),
            ("heads", self.heads, 1, 16),
            ("symbol_width", self.symbol_width, 1, 1024),
            ("prosody_width", self.prosody_width, usize::from(native), 256),
            ("position_width", self.position_width, 2, 1024),
            ("encoder_blocks", self.encoder_blocks, 1, 16),
            ("encoder_kernel", self.encoder_kernel, 1, 31),
            ("encoder_filter", self.encoder_filter, 1, 4096),
            ("decoder_blocks", self.decoder_blocks, 1, 16),
            ("decoder_kernel", self.decoder_kernel, 1, 31),
            ("decoder_filter", self.decoder_filter, 1, 4096),
            ("predictor_width", self.predictor_width, 1, 1024),
            ("predictor layers", self.predictor_kernels.len(), 1, 8),
            ("duration_bins", self.duration_bins, if native { 2 } else { 1 }, 1024),
            ("variance_bins", self.variance_bins, if has_bins { 2 } else { 0 }, 4096),
            ("head_width", self.head_width, 0, 1024),
            ("contract_kernel", self.contract_kernel, 0, 31),
            ("post-net parts", self.post_net.len(), 0, 8),
            ("speakers", self.speakers, 0, if native { 0 } else { 16_384 }),
        ];
        for (name, got, least, most) in limits {
            in_range(name, got, (least, most))?;
        }
        let kernels = [self.encoder_kernel, self.decoder_kernel, self.contract_kernel()];
        for kernel in kernels.into_iter().chain(self.predictor_kernels.iter().copied()) {
            odd("kernel", kernel)?;
        }
        if self.head_width == 0 && !self.width.is_multiple_of(self.heads) {
            return Err(bad("heads", format!("a divisor of the width {}", self.width), self.heads));
        }
        if !native && (self.symbol_width != self.width || self.position_width != self.width) {
            let what = format!("the width {}", self.width);
            return Err(bad("symbol_width and position_width", what, self.symbol_width));
        }
        if !self.position_width.is_multiple_of(2) {
            return Err(bad("position_width", "an even number", self.position_width));
        }
        if !(0.0..=0.9).contains(&self.dropout) {
            return Err(bad("dropout", "0 to 0.9", self.dropout));
        }
        if let Some(PublishedStatistics { pitch_hz, energy }) = self.statistics {
            for [mean, deviation] in [pitch_hz, energy] {
                if !(mean.is_finite() && deviation > 0.0 && deviation.is_finite()) {
                    return Err(bad("statistics", "a mean and a deviation above 0", deviation));
                }
            }
        }
        self.post_net.iter().try_for_each(PostNetPart::validate)
    }

    /// Width of a token's own vectors: symbol, word position, phrase position.
    pub fn embedding_width(&self) -> usize {
        match self.layout {
            Layout::Native => self.symbol_width + 2 * self.prosody_width,
            Layout::Published => self.width,
        }
    }

    /// Width of the predictors' input.
    pub fn predictor_inputs(&self) -> usize {
        match self.layout {
            // Encoder output, position, embedding, utterance vector.
            Layout::Native => 2 * self.width + self.position_width + self.embedding_width(),
            Layout::Published => self.width,
        }
    }

    /// Taps of the second feed-forward convolution.
    pub fn contract_kernel(&self) -> usize {
        self.contract_kernel.max(1)
    }

    /// Width of all heads together.
    pub fn attention_width(&self) -> usize {
        if self.head_width == 0 { self.width } else { self.heads * self.head_width }
    }

    /// Most frames of one call. Attention in the decoder grows with the square of the frames.
    pub fn max_frames(&self) -> usize {
        match self.layout {
            Layout::Native => 10_000,
            Layout::Published => 4_000,
        }
    }

    /// Multiply-accumulates of a second of fluent speech, element-wise work left out.
    pub fn macs_per_second(&self) -> f64 {
        FRAMES_PER_SECOND * self.macs_per_frame() as f64 + PHONES_PER_SECOND * self.macs_per_phone() as f64
    }

    fn fft_macs(&self, kernel: usize, filter: usize, keys: usize) -> usize {
        let joined = if self.layout == Layout::Native { self.width * self.width } else { 0 };
        let attention = self.attention_width();
        4 * self.width * attention
            + joined
            + 2 * keys * attention
            + self.width * filter * (kernel + self.contract_kernel())
    }

    fn predictor_macs(&self, outputs: usize) -> usize {
        let (width, mut inputs) = (self.predictor_width, self.predictor_inputs());
        let mut macs = width * outputs;
        for kernel in &self.predictor_kernels {
            macs += kernel * inputs * width;
            inputs = width;
        }
        macs
    }

    fn macs_per_phone(&self) -> usize {
        /// Phones that attention is reckoned to look at.
        const PHRASE_PHONES: usize = 60;
        let blocks =
            self.encoder_blocks * self.fft_macs(self.encoder_kernel, self.encoder_filter, PHRASE_PHONES);
        blocks
            + match self.layout {
                Layout::Native => {
                    (self.embedding_width() + self.position_width) * self.width
                        + self.predictor_macs(self.duration_bins)
                        + self.predictor_macs(2 * VARIANCES)
                        + VARIANCES * self.width
                }
                Layout::Published => {
                    let predictors = match self.model {
                        Model::FastSpeech2 => 3,
                        Model::FastSpeech1 => 1,
                        Model::FastPitch => 2 + usize::from(self.energy),
                    };
                    predictors * self.predictor_macs(1)
                }
            }
    }

    fn macs_per_frame(&self) -> usize {
        /// Frames that attention is reckoned to look at.
        const PHRASE_FRAMES: usize = 400;
        let (blocks, heads) = match self.layout {
            Layout::Native => (
                self.width * (self.decoder_kernel + 2 * self.decoder_filter),
                self.width * (self.mels + 2 + FRAME_FEATURES),
            ),
            Layout::Published => (
                self.fft_macs(self.decoder_kernel, self.decoder_filter, PHRASE_FRAMES),
                self.width * self.mels,
            ),
        };
        let post_net: usize = self.post_net.iter().map(|part| part.macs_per_frame(self.mels)).sum();
        self.decoder_blocks * blocks + heads + post_net
    }

    /// Rows of the native prosody tables: word positions, phrase positions.
    pub(super) fn prosody_rows() -> (usize, usize) {
        (WordPosition::COUNT, PHRASE_POSITION_COUNT)
    }
}

impl PostNetPart {
    fn validate(&self) -> Result<(), Error> {
        match *self {
            PostNetPart::HighBand { width } => in_range("high-band width", width, (1, 1024)),
            PostNetPart::Wavenet => Ok(()),
            PostNetPart::Gated { kernel, bound } => {
                odd("gated kernel", kernel)?;
                in_range("gated kernel", kernel, (1, 31))?;
                if !(bound > 0.0 && bound <= 1000.0) {
                    return Err(bad("gated bound", "more than 0, at most 1000", bound));
                }
                Ok(())
            }
            PostNetPart::Convolutions { width, kernel, layers } => {
                odd("post-net kernel", kernel)?;
                in_range("post-net width", width, (1, 2048))?;
                in_range("post-net kernel", kernel, (1, 31))?;
                in_range("post-net layers", layers, (2, 16))
            }
            PostNetPart::Cbhg { banks, width, highways } => {
                in_range("post-net banks", banks, (1, 16))?;
                in_range("post-net width", width, (1, 2048))?;
                in_range("post-net highways", highways, (0, 16))
            }
        }
    }

    fn macs_per_frame(&self, mels: usize) -> usize {
        match *self {
            PostNetPart::HighBand { width } => width * (2 * mels + width),
            PostNetPart::Wavenet => 2 * mels * mels,
            PostNetPart::Gated { kernel, .. } => {
                let half = (mels / 2).max(1);
                half * (kernel * mels + half + mels)
            }
            PostNetPart::Convolutions { width, kernel, layers } => {
                kernel * width * (2 * mels + layers.saturating_sub(2) * width)
            }
            PostNetPart::Cbhg { banks, width, highways } => {
                let taps = banks * (banks + 1) / 2 * mels + 3 * width * (banks + 1);
                // A GRU each way: three gates of inputs and state; then the projection of both.
                mels * (taps + 2 * highways * mels + 12 * mels + 2 * mels)
            }
        }
    }
}

fn bad(what: &'static str, expected: impl ToString, got: impl ToString) -> Error {
    Error::Config { what, expected: expected.to_string(), got: got.to_string() }
}

fn in_range(what: &'static str, got: usize, (least, most): (usize, usize)) -> Result<(), Error> {
    if (least..=most).contains(&got) { Ok(()) } else { Err(bad(what, format!("{least} to {most}"), got)) }
}

fn odd(what: &'static str, kernel: usize) -> Result<(), Error> {
    if kernel % 2 == 1 { Ok(()) } else { Err(bad(what, "an odd number", kernel)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_valid_and_within_their_cost() {
        for config in [Config::default(), Config::published()] {
            config.validate().unwrap();
        }
        let gmacs = Config::default().macs_per_second() / 1e9;
        assert!((0.1..0.6).contains(&gmacs), "{gmacs}");
        // The published decoder and post-net were counted as 21.66 M per frame by others.
        let published = Config::published().macs_per_second() / 1e9;
        assert!((1.9..2.4).contains(&published), "{published}");
    }

    #[test]
    fn absurd_sizes_are_refused_by_name() {
        let absurd = [
            (Config { width: 1 << 20, ..Config::default() }, "width"),
            (Config { heads: 5, ..Config::default() }, "heads"),
            (Config { encoder_kernel: 4, ..Config::default() }, "kernel"),
            (Config { duration_bins: usize::MAX, ..Config::default() }, "duration_bins"),
            (Config { dropout: f32::NAN, ..Config::default() }, "dropout"),
            (
                Config {
                    post_net: vec![PostNetPart::Gated { kernel: 3, bound: f32::NAN }],
                    ..Config::default()
                },
                "gated bound",
            ),
            (Config { predictor_kernels: vec![], ..Config::default() }, "predictor layers"),
        ];
        for (config, name) in absurd {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn a_config_survives_json_and_unknown_keys_do_not() {
        let config = Config::default();
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
        let extra = json.replacen('{', "{\"surprise\":1,", 1);
        assert!(serde_json::from_str::<Config>(&extra).is_err());
    }
}
