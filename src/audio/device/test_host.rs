//! A sound system in which a test plugs cards in and out, and turns their crank itself.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    Data, DeviceDescription, DeviceDescriptionBuilder, DeviceDirection, DeviceId, Error, ErrorKind,
    FrameCount, FromSample, HostId, InputCallbackInfo, InputStreamTimestamp, OutputCallbackInfo,
    OutputStreamTimestamp, Sample, SampleFormat, StreamConfig, StreamInstant, SupportedBufferSize,
    SupportedStreamConfig, SupportedStreamConfigRange,
};

/// What kind of card is plugged in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Model {
    pub(crate) rate_hz: u32,
    pub(crate) channels: u16,
    pub(crate) format: SampleFormat,
    pub(crate) can_pause: bool,
    /// Refuses to open a stream.
    pub(crate) is_busy: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self { rate_hz: 1000, channels: 1, format: SampleFormat::F32, can_pause: true, is_busy: false }
    }
}

/// What the cards have in common: plugged in or not, and the stream that is open.
#[derive(Clone, Default)]
pub(crate) struct Bench {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By name; the first is the default.
    cards: Vec<(String, Model)>,
    stream: Option<Open>,
    input: Option<OpenInput>,
    opened: Vec<String>,
    pauses: usize,
}

type OnSamples = Box<dyn FnMut(&mut Data, &OutputCallbackInfo) + Send>;

type OnInput = Box<dyn FnMut(&Data, &InputCallbackInfo) + Send>;

struct OpenInput {
    format: SampleFormat,
    channels: u16,
    is_running: bool,
    on_samples: OnInput,
    on_error: Box<dyn FnMut(Error) + Send>,
}

struct Open {
    card: String,
    config: StreamConfig,
    format: SampleFormat,
    is_running: bool,
    on_samples: OnSamples,
    on_error: Box<dyn FnMut(Error) + Send>,
}

impl Bench {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn host(&self) -> cpal::Host {
        cpal::platform::CustomHost::from_host(TestHost(self.clone())).into()
    }

    pub(crate) fn plug(&self, name: &str, model: Model) {
        self.with(|state| {
            state.cards.retain(|(other, _)| other != name);
            state.cards.push((name.into(), model));
        });
    }

    /// Takes a card out, silently, as a system does while its stream is paused.
    pub(crate) fn unplug(&self, name: &str) {
        self.with(|state| state.cards.retain(|(other, _)| other != name));
    }

    /// Reports an error to the open stream.
    pub(crate) fn fail(&self, kind: ErrorKind) {
        self.with(|state| (state.stream.as_mut().unwrap().on_error)(Error::new(kind)));
    }

    /// Reports an error to the open input stream.
    pub(crate) fn fail_input(&self, kind: ErrorKind) {
        self.with(|state| (state.input.as_mut().unwrap().on_error)(Error::new(kind)));
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.with(|state| state.input.as_ref().is_some_and(|input| input.is_running))
    }

    /// Speaks into the open input stream: each sample on all channels, as the card would hand them over.
    pub(crate) fn speak(&self, samples: &[f32]) {
        self.with(|state| {
            let input = state.input.as_mut().filter(|input| input.is_running).unwrap();
            let wide: Vec<f32> =
                samples.iter().flat_map(|&s| std::iter::repeat_n(s, input.channels.into())).collect();
            match input.format {
                SampleFormat::F32 => input.give::<f32>(&wide),
                SampleFormat::F64 => input.give::<f64>(&wide),
                SampleFormat::I16 => input.give::<i16>(&wide),
                SampleFormat::I32 => input.give::<i32>(&wide),
                SampleFormat::U8 => input.give::<u8>(&wide),
                SampleFormat::U16 => input.give::<u16>(&wide),
                SampleFormat::I24 => input.give::<cpal::I24>(&wide),
                other => panic!("no test card has {other}"),
            }
        });
    }

    pub(crate) fn is_running(&self) -> bool {
        self.with(|state| state.stream.as_ref().is_some_and(|open| open.is_running))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.with(|state| state.stream.is_some())
    }

    /// The names of the cards on which streams were opened, in order.
    pub(crate) fn opened(&self) -> Vec<String> {
        self.with(|state| state.opened.clone())
    }

    pub(crate) fn pauses(&self) -> usize {
        self.with(|state| state.pauses)
    }

    /// The frames per period that the open stream asked for.
    pub(crate) fn buffer_size(&self) -> cpal::BufferSize {
        self.with(|state| state.stream.as_ref().unwrap().config.buffer_size)
    }

    /// Asks the open stream for `frames`, as the card would; what was heard, by frame and channel. `None` if it does not
    /// run.
    pub(crate) fn turn(&self, frames: usize) -> Option<Vec<Vec<f32>>> {
        self.with(|state| {
            let open = state.stream.as_mut().filter(|open| open.is_running)?;
            let count = frames * usize::from(open.config.channels);
            Some(match open.format {
                SampleFormat::F32 => open.ask::<f32>(count, |s| s),
                SampleFormat::F64 => open.ask::<f64>(count, |s| s as f32),
                SampleFormat::I16 => open.ask::<i16>(count, |s| f32::from(s) / 32768.0),
                SampleFormat::I32 => open.ask::<i32>(count, |s| s as f32 / 2_147_483_648.0),
                SampleFormat::U8 => open.ask::<u8>(count, |s| f32::from(s) / 128.0 - 1.0),
                SampleFormat::U16 => open.ask::<u16>(count, |s| f32::from(s) / 32768.0 - 1.0),
                SampleFormat::I24 => open.ask::<cpal::I24>(count, |s| s.inner() as f32 / 8_388_608.0),
                other => panic!("no test card has {other}"),
            })
        })
    }
}

impl OpenInput {
    fn give<T: Sample + FromSample<f32>>(&mut self, wide: &[f32]) {
        let mut buffer: Vec<T> = wide.iter().map(|&sample| T::from_sample(sample)).collect();
        // The one way to hand samples to a callback of cpal's.
        #[allow(unsafe_code)]
        // SAFETY: pointer and length are those of `buffer`, which outlives the call; `T` is the type of `self.format`, by
        // which the caller chose it.
        let data = unsafe { Data::from_parts(buffer.as_mut_ptr().cast(), buffer.len(), self.format) };
        let now = StreamInstant::new(0, 0);
        let timestamp = InputStreamTimestamp { callback: now, capture: now };
        (self.on_samples)(&data, &InputCallbackInfo::new(timestamp));
    }
}

impl Open {
    fn ask<T: Sample>(&mut self, count: usize, value: impl Fn(T) -> f32) -> Vec<Vec<f32>> {
        let mut buffer = vec![T::EQUILIBRIUM; count];
        // The one way to hand samples to a callback of cpal's.
        #[allow(unsafe_code)]
        // SAFETY: pointer and length are those of `buffer`, which outlives the call; `T` is the type of `self.format`, by
        // which the caller chose it.
        let mut data = unsafe { Data::from_parts(buffer.as_mut_ptr().cast(), count, self.format) };
        let now = StreamInstant::new(0, 0);
        let timestamp = OutputStreamTimestamp { callback: now, playback: now };
        (self.on_samples)(&mut data, &OutputCallbackInfo::new(timestamp));
        let frames = buffer.chunks(self.config.channels.into());
        frames.map(|frame| frame.iter().map(|&sample| value(sample)).collect()).collect()
    }
}

struct TestHost(Bench);

impl HostTrait for TestHost {
    type Devices = std::vec::IntoIter<TestCard>;
    type Device = TestCard;

    fn is_available() -> bool {
        true
    }

    fn devices(&self) -> Result<Self::Devices, Error> {
        let names: Vec<String> =
            self.0.with(|state| state.cards.iter().map(|(name, _)| name.clone()).collect());
        let cards: Vec<_> = names.into_iter().map(|name| TestCard { bench: self.0.clone(), name }).collect();
        Ok(cards.into_iter())
    }

    fn default_input_device(&self) -> Option<TestCard> {
        self.devices().ok()?.next()
    }

    fn default_output_device(&self) -> Option<TestCard> {
        self.devices().ok()?.next()
    }
}

#[derive(Clone)]
struct TestCard {
    bench: Bench,
    name: String,
}

impl TestCard {
    fn model(&self) -> Result<Model, Error> {
        let found = self.bench.with(|s| s.cards.iter().find(|(name, _)| *name == self.name).map(|(_, m)| *m));
        found.ok_or_else(|| Error::new(ErrorKind::DeviceNotAvailable))
    }
}

impl PartialEq for TestCard {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TestCard {}

impl std::hash::Hash for TestCard {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for TestCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for TestCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The {} card", self.name)
    }
}

const BUFFER_FRAMES: SupportedBufferSize = SupportedBufferSize::Range { min: 4, max: 4096 };

impl DeviceTrait for TestCard {
    type SupportedInputConfigs = std::iter::Once<SupportedStreamConfigRange>;
    type SupportedOutputConfigs = std::iter::Once<SupportedStreamConfigRange>;
    type Stream = TestStream;

    fn description(&self) -> Result<DeviceDescription, Error> {
        Ok(DeviceDescriptionBuilder::new(self.to_string()).direction(DeviceDirection::Output).build())
    }

    fn id(&self) -> Result<DeviceId, Error> {
        Ok(DeviceId::new(HostId::Custom, &self.name))
    }

    fn supported_input_configs(&self) -> Result<Self::SupportedInputConfigs, Error> {
        self.supported_output_configs()
    }

    fn supported_output_configs(&self) -> Result<Self::SupportedOutputConfigs, Error> {
        let Model { rate_hz, channels, format, .. } = self.model()?;
        let range = SupportedStreamConfigRange::new(channels, rate_hz, rate_hz, BUFFER_FRAMES, format);
        Ok(std::iter::once(range))
    }

    fn default_input_config(&self) -> Result<SupportedStreamConfig, Error> {
        self.default_output_config()
    }

    fn default_output_config(&self) -> Result<SupportedStreamConfig, Error> {
        let Model { rate_hz, channels, format, .. } = self.model()?;
        Ok(SupportedStreamConfig::new(channels, rate_hz, BUFFER_FRAMES, format))
    }

    fn build_input_stream_raw<D, E>(
        &self,
        config: StreamConfig,
        format: SampleFormat,
        on_samples: D,
        on_error: E,
        _: Option<Duration>,
    ) -> Result<TestStream, Error>
    where
        D: FnMut(&Data, &InputCallbackInfo) + Send + 'static,
        E: FnMut(Error) + Send + 'static,
    {
        if self.model()?.is_busy {
            return Err(Error::new(ErrorKind::DeviceBusy));
        }
        let input = OpenInput {
            format,
            channels: config.channels,
            is_running: false,
            on_samples: Box::new(on_samples),
            on_error: Box::new(on_error),
        };
        self.bench.with(|state| {
            assert!(state.input.is_none(), "one input stream at a time");
            state.input = Some(input);
        });
        Ok(TestStream { card: self.clone(), is_input: true })
    }

    fn build_output_stream_raw<D, E>(
        &self,
        config: StreamConfig,
        format: SampleFormat,
        on_samples: D,
        on_error: E,
        _: Option<Duration>,
    ) -> Result<TestStream, Error>
    where
        D: FnMut(&mut Data, &OutputCallbackInfo) + Send + 'static,
        E: FnMut(Error) + Send + 'static,
    {
        if self.model()?.is_busy {
            return Err(Error::new(ErrorKind::DeviceBusy));
        }
        let open = Open {
            card: self.name.clone(),
            config,
            format,
            is_running: false,
            on_samples: Box::new(on_samples),
            on_error: Box::new(on_error),
        };
        self.bench.with(|state| {
            assert!(state.stream.is_none(), "one stream at a time");
            state.opened.push(open.card.clone());
            state.stream = Some(open);
        });
        Ok(TestStream { card: self.clone(), is_input: false })
    }
}

struct TestStream {
    card: TestCard,
    is_input: bool,
}

impl TestStream {
    fn set_running(&self, is_running: bool) -> Result<(), Error> {
        self.card.model()?;
        self.card.bench.with(|state| {
            if self.is_input {
                state.input.as_mut().unwrap().is_running = is_running;
            } else {
                state.stream.as_mut().unwrap().is_running = is_running;
            }
        });
        Ok(())
    }
}

impl StreamTrait for TestStream {
    fn play(&self) -> Result<(), Error> {
        self.set_running(true)
    }

    fn pause(&self) -> Result<(), Error> {
        if !self.card.model()?.can_pause {
            return Err(Error::new(ErrorKind::UnsupportedOperation));
        }
        self.card.bench.with(|state| state.pauses += 1);
        self.set_running(false)
    }

    fn now(&self) -> StreamInstant {
        StreamInstant::new(0, 0)
    }

    fn buffer_size(&self) -> Result<FrameCount, Error> {
        Ok(10)
    }
}

impl Drop for TestStream {
    fn drop(&mut self) {
        // Dropped outside the lock: what it lent goes home.
        if self.is_input {
            drop(self.card.bench.with(|state| state.input.take()));
        } else {
            drop(self.card.bench.with(|state| state.stream.take()));
        }
    }
}
