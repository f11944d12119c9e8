//! Microphones, through cpal. A take opens its own stream: between takes nothing is held and nothing runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, SampleFormat, SizedSample, StreamConfig};

use super::super::capture::{Intake, Tape, capture_ring};
use super::super::feed::samples_of;
use super::{
    AudioError, DeviceInfo, Pulse, by_name_among, fault_of, fixed_buffer, info_of, name_of, one_line,
    quietly, report_to, system_host,
};

/// What the device is asked to give at a time.
const PERIOD_MS: u32 = 20;
/// How long the reader may be late before samples are lost.
const RING_MS: u32 = 3000;

/// The microphones of this machine. Not all need work: what is listed has not been opened.
///
/// # Errors
/// There is no sound system.
pub fn microphones() -> Result<Vec<DeviceInfo>, AudioError> {
    quietly(|| list(&input_host()?))
}

fn input_host() -> Result<cpal::Host, AudioError> {
    system_host(|host| host.default_input_device().is_some())
}

pub(super) fn list(host: &cpal::Host) -> Result<Vec<DeviceInfo>, AudioError> {
    let default_name = host.default_input_device().as_ref().and_then(name_of);
    let inputs = host.input_devices().map_err(failed("list"))?;
    Ok(inputs.filter_map(|device| info_of(&device, default_name.as_deref())).collect())
}

fn failed(operation: &'static str) -> impl Fn(cpal::Error) -> AudioError {
    move |error| AudioError::Microphone { operation, reason: one_line(&error) }
}

/// A microphone that was found, and how it gives its samples.
pub struct Microphone {
    device: cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
}

/// A stream that records, from [`Microphone::start`] until it is dropped. Belongs to one thread.
pub struct Capture {
    // The callback ends with it.
    _stream: cpal::Stream,
    tape: Tape,
    pulse: Arc<Pulse>,
}

impl Microphone {
    /// Finds the microphone of this name, as [`microphones`] gives it, or the system's default one; it is not opened yet.
    ///
    /// # Errors
    /// There is none, none of this name, or it does not answer.
    pub fn find(name: Option<&str>) -> Result<Self, AudioError> {
        quietly(|| Self::on(&input_host()?, name))
    }

    pub(super) fn on(host: &cpal::Host, name: Option<&str>) -> Result<Self, AudioError> {
        let device = match name {
            Some(name) => by_name_among(host, name, || host.input_devices().map_err(failed("list")))?,
            None => host.default_input_device().ok_or_else(|| AudioError::Microphone {
                operation: "find",
                reason: "the system names no default input".into(),
            })?,
        };
        let supported = device.default_input_config().map_err(failed("ask for its format"))?;
        let period_frames = samples_of(PERIOD_MS, supported.sample_rate()).max(1);
        let config = StreamConfig {
            channels: supported.channels(),
            sample_rate: supported.sample_rate(),
            buffer_size: fixed_buffer(supported.buffer_size(), period_frames),
        };
        Ok(Self { device, config, format: supported.sample_format() })
    }

    /// Samples per second.
    pub fn rate_hz(&self) -> u32 {
        self.config.sample_rate
    }

    /// Opens the device and begins to record.
    ///
    /// # Errors
    /// The device is busy or gone, or gives samples of a kind that we do not know.
    pub fn start(&self) -> Result<Capture, AudioError> {
        let capacity_samples = samples_of(RING_MS, self.rate_hz()) as usize;
        let (intake, tape) = capture_ring(capacity_samples, self.config.channels);
        let pulse = Arc::new(Pulse::default());
        quietly(|| {
            let stream = match self.format {
                SampleFormat::F32 => self.build::<f32>(intake, &pulse),
                SampleFormat::I16 => self.build::<i16>(intake, &pulse),
                SampleFormat::I32 => self.build::<i32>(intake, &pulse),
                SampleFormat::U8 => self.build::<u8>(intake, &pulse),
                SampleFormat::U16 => self.build::<u16>(intake, &pulse),
                SampleFormat::I24 => self.build::<cpal::I24>(intake, &pulse),
                SampleFormat::F64 => self.build::<f64>(intake, &pulse),
                other => Err(AudioError::Microphone {
                    operation: "record",
                    reason: format!("expected integer or float samples, got {other}"),
                }),
            }?;
            stream.play().map_err(failed("start"))?;
            Ok(Capture { _stream: stream, tape, pulse })
        })
    }

    fn build<T: SizedSample>(
        &self,
        mut intake: Intake,
        pulse: &Arc<Pulse>,
    ) -> Result<cpal::Stream, AudioError>
    where
        f32: FromSample<T>,
    {
        let on_samples = move |samples: &[T], _: &cpal::InputCallbackInfo| {
            intake.run(samples, f32::from_sample_);
        };
        let stream = self.device.build_input_stream(self.config, on_samples, report_to(pulse), None);
        stream.map_err(failed("open a stream"))
    }
}

impl Capture {
    /// Appends the samples that have come, full scale ±1, to `samples`; how many they are.
    ///
    /// # Errors
    /// The device went away or failed.
    pub fn read(&mut self, samples: &mut Vec<f32>) -> Result<usize, AudioError> {
        match fault_of(&self.pulse) {
            Some(reason) => Err(AudioError::Microphone { operation: "go on", reason: reason.into() }),
            None => Ok(self.tape.read(samples)),
        }
    }

    /// How often sound was lost: the device's own overruns, and samples for which nobody came in time.
    pub fn losses(&self) -> u64 {
        self.pulse.xruns.load(Ordering::Relaxed) + self.tape.lost_samples()
    }
}
