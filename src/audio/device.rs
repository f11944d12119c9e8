//! Sound cards, through cpal: nothing outside this module names it.
//!
//! A [`Card`] is a device that was found, an [`OpenCard`] one with a stream. The stream's callback, on the device's own
//! thread, does nothing but [`Playback::run`]; it has the ring's reader on loan and gives it back when the stream ends,
//! however it ends, so that what was not played can be played by the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{DeviceId, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize};

use super::feed::samples_of;
use super::playback::Playback;
use super::priority::make_current_thread_realtime;
use super::ring::Reader;
use super::{AudioError, SinkConfig};

mod microphone;

pub use microphone::{Capture, Microphone, microphones};

/// How long a stream may take to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// A sound card that could be played on, or a microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What to choose it by.
    pub name: String,
    /// What the system says about it, in one line.
    pub description: String,
    /// Whether it is the one when none is chosen.
    pub is_default: bool,
}

/// The sound cards of this machine. Not all need work: what is listed has not been opened.
///
/// # Errors
/// There is no sound system.
pub fn devices() -> Result<Vec<DeviceInfo>, AudioError> {
    quietly(|| list(&output_host()?))
}

fn list(host: &cpal::Host) -> Result<Vec<DeviceInfo>, AudioError> {
    let default_name = host.default_output_device().as_ref().and_then(name_of);
    let outputs = host.output_devices().map_err(device_error("list"))?;
    Ok(outputs.filter_map(|device| info_of(&device, default_name.as_deref())).collect())
}

fn name_of(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.id().to_owned())
}

fn info_of(device: &cpal::Device, default_name: Option<&str>) -> Option<DeviceInfo> {
    let name = name_of(device)?;
    let description = device.description().map(|d| {
        let mut lines: Vec<&str> = d.extended().collect();
        if lines.is_empty() {
            lines.push(d.name());
        }
        lines.join(", ")
    });
    let is_default = default_name == Some(&name);
    // ALSA's `null` takes and gives samples without end: not a card, and our own sink is better at it.
    (name != "null").then(|| DeviceInfo { description: description.unwrap_or_default(), is_default, name })
}

fn output_host() -> Result<cpal::Host, AudioError> {
    system_host(|host| host.default_output_device().is_some())
}

/// The first sound system that has the device; if none has, the last that answers.
fn system_host(has_device: impl Fn(&cpal::Host) -> bool) -> Result<cpal::Host, AudioError> {
    let mut result = Err(AudioError::NoDevice { reason: "there is no sound system".into() });
    for id in cpal::available_hosts() {
        match cpal::host_from_id(id) {
            Ok(host) if has_device(&host) => return Ok(host),
            Ok(host) => result = Ok(host),
            Err(error) if result.is_err() => result = Err(device_error("reach the sound system")(error)),
            Err(_) => {}
        }
    }
    result
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
        (None, ErrorKind::DeviceNotAvailable) => "it cannot be opened".into(),
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

/// Where to look for a card, again and again if need be.
pub(super) struct Cards {
    host: Box<dyn Fn() -> Result<cpal::Host, AudioError> + Send>,
    name: Option<String>,
    period_ms: u32,
    realtime_priority: Option<u8>,
}

impl Cards {
    /// The machine's, of which the configuration names one.
    pub(super) fn system(config: &SinkConfig) -> Self {
        Self::of(config, output_host)
    }

    pub(super) fn of(
        config: &SinkConfig,
        host: impl Fn() -> Result<cpal::Host, AudioError> + Send + 'static,
    ) -> Self {
        Self {
            host: Box::new(host),
            name: config.device.clone(),
            period_ms: config.period_ms,
            realtime_priority: config.realtime_priority,
        }
    }

    /// Finds the card and asks for its own rate, channels and format.
    ///
    /// # Errors
    /// There is none, none of this name, or it does not answer.
    pub(super) fn find(&self) -> Result<Card, AudioError> {
        quietly(|| {
            let host = (self.host)()?;
            let device = match &self.name {
                None => host.default_output_device().ok_or_else(|| AudioError::NoDevice {
                    reason: "the system names no default output".into(),
                })?,
                Some(name) => {
                    by_name_among(&host, name, || host.output_devices().map_err(device_error("list")))?
                }
            };
            let supported = device.default_output_config().map_err(device_error("ask for its format"))?;
            let period_frames = samples_of(self.period_ms, supported.sample_rate()).max(1);
            let buffer_size = fixed_buffer(supported.buffer_size(), period_frames);
            let channels = supported.channels();
            let config = StreamConfig { channels, sample_rate: supported.sample_rate(), buffer_size };
            let (format, realtime_priority) = (supported.sample_format(), self.realtime_priority);
            Ok(Card { device, config, format, period_frames, realtime_priority })
        })
    }
}

fn fixed_buffer(supported: &SupportedBufferSize, period_frames: u32) -> cpal::BufferSize {
    match supported {
        // Not `clamp`: a driver may get them the wrong way round.
        SupportedBufferSize::Range { min, max } => cpal::BufferSize::Fixed(period_frames.min(*max).max(*min)),
        SupportedBufferSize::Unknown => cpal::BufferSize::Default,
    }
}

/// A device by its identifier (on ALSA also one that is not listed, as `plughw:1,0`), or by its description among those
/// that are listed.
fn by_name_among<L: Iterator<Item = cpal::Device>>(
    host: &cpal::Host,
    name: &str,
    listed: impl FnOnce() -> Result<L, AudioError>,
) -> Result<cpal::Device, AudioError> {
    if let Some(device) = host.device_by_id(&DeviceId::new(host.id(), name)) {
        return Ok(device);
    }
    let has_name = |device: &cpal::Device| {
        device.to_string() == name || device.id().is_ok_and(|id| id.to_string() == name)
    };
    listed()?.find(has_name).ok_or_else(|| AudioError::UnknownDevice { name: name.into() })
}

/// A device that was found, and how it wants its samples.
pub(super) struct Card {
    device: cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    period_frames: u32,
    realtime_priority: Option<u8>,
}

/// A device with a stream, paused at first. Belongs to one thread.
pub(super) struct OpenCard {
    stream: cpal::Stream,
    pulse: Arc<Pulse>,
    home: Receiver<Playback>,
    /// What it asks for at a time.
    period: Duration,
}

/// A card that did not open, and the reader that it was to have.
pub(super) type Refusal = (AudioError, Option<Reader>);

impl Card {
    /// Frames per second.
    pub(super) fn rate_hz(&self) -> u32 {
        self.config.sample_rate
    }

    /// Opens a stream that plays from `reader`.
    ///
    /// # Errors
    /// The device is busy, or wants samples of a kind that we do not have.
    pub(super) fn open(&self, reader: Reader) -> Result<OpenCard, Refusal> {
        let (give_back, home) = channel();
        let pulse = Arc::new(Pulse::default());
        let playback = Playback::new(reader, self.rate_hz(), self.config.channels);
        let loan = Loan { playback: Some(playback), home: give_back };
        let result = quietly(|| match self.format {
            SampleFormat::F32 => self.build::<f32>(loan, &pulse),
            SampleFormat::I16 => self.build::<i16>(loan, &pulse),
            SampleFormat::I32 => self.build::<i32>(loan, &pulse),
            SampleFormat::U8 => self.build::<u8>(loan, &pulse),
            SampleFormat::U16 => self.build::<u16>(loan, &pulse),
            SampleFormat::I24 => self.build::<cpal::I24>(loan, &pulse),
            SampleFormat::F64 => self.build::<f64>(loan, &pulse),
            other => {
                let reason = format!("expected integer or float samples, got {other}");
                Err(AudioError::Device { operation: "play", reason })
            }
        });
        match result {
            Ok(stream) => {
                let period_frames = stream.buffer_size().unwrap_or(self.period_frames);
                let period = Duration::from_secs_f64(f64::from(period_frames) / f64::from(self.rate_hz()));
                Ok(OpenCard { stream, pulse, home, period })
            }
            Err(error) => Err((error, returned(&home))),
        }
    }

    fn build<T: SizedSample + FromSample<f32>>(
        &self,
        mut loan: Loan,
        pulse: &Arc<Pulse>,
    ) -> Result<cpal::Stream, AudioError> {
        // On the audio thread: a store or an addition, nothing else but one call for priority.
        let priority = self.realtime_priority;
        let beating = pulse.clone();
        let on_samples = move |out: &mut [T], _: &cpal::OutputCallbackInfo| {
            if let Some(playback) = &mut loan.playback {
                playback.run(out, T::from_sample);
            }
            beating.beats.fetch_add(1, Ordering::Relaxed);
            if let Some(priority) = priority
                && beating.promotion.load(Ordering::Acquire) == Promotion::Due as u8
            {
                let is_granted = make_current_thread_realtime(priority);
                let outcome = if is_granted { Promotion::Granted } else { Promotion::Refused };
                beating.promotion.store(outcome as u8, Ordering::Release);
            }
        };
        let stream = self.device.build_output_stream(self.config, on_samples, report_to(pulse), None);
        stream.map_err(device_error("open a stream"))
    }
}

impl OpenCard {
    /// How long the device's own buffer sounds after the ring is empty: two periods lie there.
    pub(super) fn tail(&self) -> Duration {
        2 * self.period
    }

    /// Lets the audio thread ask for priority, once it is known to wait for its turn: `beats` callbacks took `elapsed`.
    /// ALSA's `null` and `file` plug-ins never wait, and would take a core for themselves.
    pub(super) fn promote(&self, beats: u64, elapsed: Duration) {
        // What lies in the device's buffer is asked for at once.
        let sound = self.period * u32::try_from(beats.saturating_sub(2)).unwrap_or(u32::MAX);
        if sound <= elapsed + elapsed / 4 {
            let [none, due] = [Promotion::None as u8, Promotion::Due as u8];
            let is_first =
                self.pulse.promotion.compare_exchange(none, due, Ordering::AcqRel, Ordering::Relaxed);
            if is_first.is_ok() {
                tracing::debug!("audio thread may ask for real-time priority");
            }
        } else {
            tracing::warn!(?sound, ?elapsed, "the audio device takes samples faster than they sound");
        }
    }

    /// Lets the callback run.
    ///
    /// # Errors
    /// The device fails.
    pub(super) fn play(&self) -> Result<(), AudioError> {
        self.stream.play().map_err(device_error("start"))
    }

    /// Keeps the callback from running; not every device can.
    ///
    /// # Errors
    /// It cannot.
    pub(super) fn pause(&self) -> Result<(), AudioError> {
        self.stream.pause().map_err(device_error("pause"))
    }

    /// Why the stream has ended, if it has.
    pub(super) fn fault(&self) -> Option<&'static str> {
        fault_of(&self.pulse)
    }

    /// How often the callback has run.
    pub(super) fn beats(&self) -> u64 {
        self.pulse.beats.load(Ordering::Relaxed)
    }

    /// How often the device itself ran dry since this was last asked.
    pub(super) fn take_xruns(&self) -> u64 {
        self.pulse.xruns.swap(0, Ordering::Relaxed)
    }

    /// Ends the stream; the reader comes back with all that was not played. `None` if the system does not let go of it.
    pub(super) fn close(self) -> Option<Reader> {
        let Self { stream, home, .. } = self;
        quietly(|| drop(stream));
        returned(&home)
    }
}

fn returned(home: &Receiver<Playback>) -> Option<Reader> {
    home.recv_timeout(CLOSE_LIMIT).ok().map(Playback::into_reader)
}

/// What the audio thread has to say.
#[derive(Default)]
struct Pulse {
    /// A [`Fault`], or 0.
    fault: AtomicU8,
    beats: AtomicU64,
    xruns: AtomicU64,
    /// A [`Promotion`].
    promotion: AtomicU8,
}

/// What the stream reports on the audio thread: a store or an addition, nothing else.
fn report_to(pulse: &Arc<Pulse>) -> impl FnMut(cpal::Error) + Send + use<> {
    let pulse = pulse.clone();
    move |error| {
        let fault = match error.kind() {
            ErrorKind::Xrun => {
                pulse.xruns.fetch_add(1, Ordering::Relaxed);
                return;
            }
            // Neither ends the stream.
            ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => return,
            ErrorKind::DeviceNotAvailable => Fault::Gone,
            ErrorKind::StreamInvalidated => Fault::Changed,
            _ => Fault::Failed,
        };
        pulse.fault.store(fault as u8, Ordering::Release);
    }
}

fn fault_of(pulse: &Pulse) -> Option<&'static str> {
    let fault = pulse.fault.load(Ordering::Acquire);
    FAULTS.iter().find(|(kind, _)| *kind as u8 == fault).map(|(_, reason)| *reason)
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Promotion {
    None = 0,
    Due = 1,
    Granted = 2,
    Refused = 3,
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Fault {
    Gone = 1,
    Changed = 2,
    Failed = 3,
}

const FAULTS: [(Fault, &str); 3] = [
    (Fault::Gone, "it is no longer there"),
    (Fault::Changed, "its settings were changed by the system"),
    (Fault::Failed, "it reported a failure"),
];

/// What the callback has on loan. It goes home when the callback is dropped, on whatever thread and for whatever reason.
struct Loan {
    playback: Option<Playback>,
    home: Sender<Playback>,
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(playback) = self.playback.take() {
            // Nobody waits for it if the sink is gone too.
            let _ = self.home.send(playback);
        }
    }
}

#[cfg(test)]
mod microphone_tests;
#[cfg(test)]
mod test_host;
#[cfg(test)]
mod tests;
