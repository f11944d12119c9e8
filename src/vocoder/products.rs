//! What synthesis multiplies, layer by layer, as published: for reckoning, and for measuring against the bare products.

use super::config::{Analysis, Conditioner, Config, Prior};

/// Equal matrix products of synthesis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Product {
    /// Which layers.
    pub layer: &'static str,
    /// How many of them.
    pub count: usize,
    /// Rows that each multiplies in a second of audio.
    pub rows_per_second: f64,
    /// Values that a row becomes.
    pub outputs: usize,
    /// Values of a row.
    pub inputs: usize,
}

impl Product {
    /// Multiply-accumulates per second of audio, of all of them.
    pub fn macs_per_second(&self) -> f64 {
        self.rows_per_second * (self.count * self.outputs * self.inputs) as f64
    }
}

impl Config {
    /// Every matrix product of synthesis.
    pub fn products(&self) -> Vec<Product> {
        let groups = f64::from(self.sample_rate_hz) / self.group_samples() as f64;
        let frames = self.frames_per_second();
        let mut products = Vec::new();
        let mut add = |layer, rows_per_second, count, (outputs, inputs)| {
            if count * outputs * inputs > 0 {
                products.push(Product { layer, count, rows_per_second, outputs, inputs });
            }
        };
        match self.conditioner {
            Conditioner::Upsample { kernel_samples } => {
                add("upsample", frames, 1, (self.mel_bands * kernel_samples, self.mel_bands));
            }
            Conditioner::Frames { channels, recurrent } => {
                add("conditioner", frames, 1, (channels, 5 * self.feature_channels()));
                add("conditioner", frames, 1, (channels, channels));
                add("conditioner", frames, 1, (channels, 3 * channels));
                let half = if recurrent { channels / 2 } else { 0 };
                add("conditioner", frames, 2, (3 * half, channels));
                add("conditioner", frames, 2, (3 * half, half));
            }
        }
        let group = self.group_samples();
        if let Conditioner::Frames { channels, .. } = self.conditioner {
            match self.prior {
                Prior::Standard => {}
                Prior::Density => add("prior", groups, 1, (2 * group, channels)),
                Prior::SourceFilter => add("prior", groups, 1, (4 * group, channels)),
            }
        }
        if let Analysis::Mdct { bins } = self.analysis {
            let count = if self.has_excitation() { 3 } else { 1 };
            add("lapped transform", groups, count, (2 * bins, bins));
        }
        let wavenet = &self.wavenet;
        let (c, layers) = (wavenet.channels, wavenet.layers);
        for flow in 0..self.flows {
            let channels = self.flow_channels(flow);
            add("mixing", groups, 1, (channels, channels));
            add("start", groups, 1, (c, channels / 2));
            add("end", groups, 1, (channels, c));
        }
        add("cond", groups, self.flows * layers, (2 * c, self.conditioning_channels()));
        add("in_layers", groups, self.flows * layers, (2 * c, wavenet.kernel * c));
        add("res_skip", groups, self.flows * (layers - 1), (2 * c, c));
        add("res_skip", groups, self.flows, (c, c));
        products
    }

    /// Multiply-accumulates per second of audio in synthesis, matrix products only.
    pub fn macs_per_second(&self) -> f64 {
        self.products().iter().map(Product::macs_per_second).sum()
    }
}
