//! The sound card, through cpal: the only file that names it.
//!
//! [`open`] makes a ring and a stream; the stream's callback, on the device's own thread, does nothing but
//! [`Playback::run`]. The writing thread converts the sample rate and waits for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize};

use super::convert::RateConverter;
use super::playback::Playback;
use super::ring::{Writer, ring};
use super::{AudioError, Played, Sink, SinkConfig};

/// How often the writing thread looks for room: well below a period.
const POLL: Duration = Duration::from_millis(2);
/// A device that takes nothing for so long is dead.
const STALL: Duration = Duration::from_secs(3);

/// What the audio thread has to say, as one atomic byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Health {
    Fine = 0,
    Unavailable = 1,
    Invalidated = 2,
    Failed = 3,
}

struct DeviceSink {
    stream: cpal::Stream,
    writer: Writer,
    converter: RateConverter,
    converted: Vec<f32>,
    health: Arc<AtomicU8>,
    prefill_samples: u64,
    /// How long the device's own buffer may sound after the ring is empty.
    tail: Duration,
    is_playing: bool,
}

fn samples_of(duration_ms: u32, rate_hz: u32) -> u32 {
    (u64::from(duration_ms) * u64::from(rate_hz) / 1000).min(u64::from(u32::MAX)) as u32
}

fn device_error(operation: &'static str) -> impl Fn(cpal::Error) -> AudioError {
    move |error| match error.kind() {
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => {
            AudioError::NoDevice { reason: one_line(&error) }
        }
        _ => AudioError::Device { operation, reason: one_line(&error) },
    }
}

/// The system's own words where there are any, as our messages are written: no full stop.
fn one_line(error: &cpal::Error) -> String {
    let text = match (error.message(), error.kind()) {
        (Some(message), _) => message.to_string(),
        (None, ErrorKind::DeviceNotAvailable) => "the system's default output cannot be opened".into(),
        (None, ErrorKind::HostUnavailable) => "there is no sound system".into(),
        (None, kind) => kind.to_string(),
    };
    text.trim_end_matches('.').replace('\n', " ")
}

/// ALSA reports what it tries on standard error, past everyone; this thread's reports go to the log instead.
#[cfg(target_os = "linux")]
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let reports = alsa::Output::local_error_handler();
    let result = work();
    if let Ok(reports) = reports {
        tracing::debug!(alsa = %reports.borrow(), "audio device");
    }
    result
}

#[cfg(not(target_os = "linux"))]
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Opens the system's default output, at its own rate and channels.
///
/// # Errors
/// There is none, or it refuses.
pub(super) fn open(config: &SinkConfig) -> Result<Box<dyn Sink>, AudioError> {
    quietly(|| open_default(config))
}

fn open_default(config: &SinkConfig) -> Result<Box<dyn Sink>, AudioError> {
    let device = cpal::default_host()
        .default_output_device()
        .ok_or_else(|| AudioError::NoDevice { reason: "the system names no default output".into() })?;
    let supported = device.default_output_config().map_err(device_error("ask for its format"))?;
    let rate_hz = supported.sample_rate();
    let converter = RateConverter::new(config.sample_rate_hz, rate_hz)?;
    let (writer, reader) = ring(samples_of(config.ring_ms, rate_hz) as usize);
    let health = Arc::new(AtomicU8::new(Health::Fine as u8));
    let period_samples = samples_of(config.period_ms, rate_hz);
    let buffer_size = match supported.buffer_size() {
        SupportedBufferSize::Range { min, max } => cpal::BufferSize::Fixed(period_samples.clamp(*min, *max)),
        SupportedBufferSize::Unknown => cpal::BufferSize::Default,
    };
    let stream_config = StreamConfig { channels: supported.channels(), sample_rate: rate_hz, buffer_size };
    let playback = Playback::new(reader, rate_hz, stream_config.channels);
    let stream = match supported.sample_format() {
        SampleFormat::F32 => build::<f32>(&device, stream_config, playback, &health),
        SampleFormat::I16 => build::<i16>(&device, stream_config, playback, &health),
        SampleFormat::I32 => build::<i32>(&device, stream_config, playback, &health),
        SampleFormat::U8 => build::<u8>(&device, stream_config, playback, &health),
        SampleFormat::U16 => build::<u16>(&device, stream_config, playback, &health),
        SampleFormat::I24 => build::<cpal::I24>(&device, stream_config, playback, &health),
        SampleFormat::F64 => build::<f64>(&device, stream_config, playback, &health),
        other => {
            let reason = format!("expected integer or float samples, got {other}");
            return Err(AudioError::Device { operation: "play", reason });
        }
    }
    .map_err(device_error("open a stream"))?;
    // Two periods lie in the device when the ring runs dry.
    let period_samples = stream.buffer_size().unwrap_or(period_samples);
    let tail = Duration::from_secs_f64(2.0 * f64::from(period_samples) / f64::from(rate_hz));
    // A ring smaller than its prefill would never start.
    let prefill_samples = u64::from(samples_of(config.prefill_ms.min(config.ring_ms / 2), rate_hz));
    Ok(Box::new(DeviceSink {
        stream,
        writer,
        converter,
        converted: Vec::new(),
        health,
        prefill_samples,
        tail,
        is_playing: false,
    }))
}

fn build<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    mut playback: Playback,
    health: &Arc<AtomicU8>,
) -> Result<cpal::Stream, cpal::Error> {
    let health = health.clone();
    // Called on the audio thread: one store, nothing else. An xrun of the device's own is followed by our fade.
    let on_error = move |error: cpal::Error| {
        let state = match error.kind() {
            ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => return,
            ErrorKind::DeviceNotAvailable => Health::Unavailable,
            ErrorKind::StreamInvalidated => Health::Invalidated,
            _ => Health::Failed,
        };
        health.store(state as u8, Ordering::Release);
    };
    let on_samples = move |out: &mut [T], _: &cpal::OutputCallbackInfo| playback.run(out, T::from_sample);
    device.build_output_stream(config, on_samples, on_error, None)
}

impl DeviceSink {
    fn check(&self) -> Result<(), AudioError> {
        let reason = match self.health.load(Ordering::Acquire) {
            h if h == Health::Fine as u8 => return Ok(()),
            h if h == Health::Unavailable as u8 => "it is no longer there",
            h if h == Health::Invalidated as u8 => "its settings were changed by the system",
            _ => "it reported a failure",
        };
        Err(AudioError::Lost { reason: reason.into() })
    }

    fn play(&mut self) -> Result<(), AudioError> {
        if !self.is_playing {
            self.stream.play().map_err(device_error("start"))?;
            self.is_playing = true;
        }
        Ok(())
    }

    /// Puts all converted samples into the ring, waiting for room.
    fn drain_converted(&mut self) -> Result<(), AudioError> {
        let converted = std::mem::take(&mut self.converted);
        let mut rest = converted.as_slice();
        let mut last_read = (self.writer.read_samples(), Instant::now());
        while !rest.is_empty() {
            let count = self.writer.push(rest);
            rest = &rest[count..];
            if self.writer.written_samples() >= self.prefill_samples || !rest.is_empty() {
                self.play()?;
            }
            if !rest.is_empty() {
                self.wait(&mut last_read)?;
            }
        }
        self.converted = converted;
        self.converted.clear();
        Ok(())
    }

    /// Sleeps a little; fails if the device has failed or has stopped taking samples.
    fn wait(&self, last_read: &mut (u64, Instant)) -> Result<(), AudioError> {
        self.check()?;
        let read = self.writer.read_samples();
        if read != last_read.0 {
            *last_read = (read, Instant::now());
        } else if last_read.1.elapsed() > STALL {
            return Err(AudioError::Lost { reason: format!("no samples taken for {STALL:?}") });
        }
        thread::sleep(POLL);
        Ok(())
    }
}

impl Sink for DeviceSink {
    fn write(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        self.check()?;
        self.converter.push(samples, &mut self.converted)?;
        self.drain_converted()
    }

    fn rest(&mut self) -> Result<(), AudioError> {
        self.converter.flush(&mut self.converted)?;
        self.writer.rest_after(self.converted.len());
        self.drain_converted()?;
        // What is shorter than the prefill must sound too.
        if self.writer.written_samples() > 0 { self.play() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<Played, AudioError> {
        self.rest()?;
        let mut last_read = (self.writer.read_samples(), Instant::now());
        while self.writer.read_samples() < self.writer.written_samples() {
            self.wait(&mut last_read)?;
        }
        if self.is_playing {
            thread::sleep(self.tail);
        }
        Ok(Played { underruns: self.writer.underruns() })
    }
}
