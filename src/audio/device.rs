//! The sound card, through cpal: the only file that names it.
//!
//! [`open`] makes a ring and a stream; the stream's callback, on the device's own thread, does nothing but
//! [`Playback::run`]. The writing thread converts the sample rate and waits for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize};

use super::feed::{Feed, FeedConfig, samples_of};
use super::playback::Playback;
use super::player::{Outlet, Player};
use super::{AudioError, Sink, SinkConfig};

/// What the audio thread has to say, as one atomic byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Health {
    Fine = 0,
    Unavailable = 1,
    Invalidated = 2,
    Failed = 3,
}

struct CardOutlet {
    _stream: cpal::Stream,
    health: Arc<AtomicU8>,
    /// How long the device's own buffer may sound after the ring is empty.
    tail: Duration,
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
    let (feed, reader) = Feed::new(FeedConfig {
        voice_hz: config.sample_rate_hz,
        device_hz: rate_hz,
        ring_ms: config.ring_ms,
        prefill_ms: config.prefill_ms,
    })?;
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
    stream.play().map_err(device_error("start"))?;
    Ok(Box::new(Player::new(Arc::new(feed), CardOutlet { _stream: stream, health, tail })))
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

impl CardOutlet {
    fn check(&self) -> Result<(), AudioError> {
        let reason = match self.health.load(Ordering::Acquire) {
            h if h == Health::Fine as u8 => return Ok(()),
            h if h == Health::Unavailable as u8 => "it is no longer there",
            h if h == Health::Invalidated as u8 => "its settings were changed by the system",
            _ => "it reported a failure",
        };
        Err(AudioError::Lost { reason: reason.into() })
    }
}

impl Outlet for CardOutlet {
    fn wait(&self, feed: &Feed, seen: u64, time: Duration) -> Result<(), AudioError> {
        self.check()?;
        feed.bell.wait(seen, Some(time));
        Ok(())
    }

    fn wait_for_tail(&self) {
        thread::sleep(self.tail);
    }
}
