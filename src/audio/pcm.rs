//! Samples as bytes: WAV and raw 16-bit, to files and pipes.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use super::bell::{Bell, lock};
use super::control::{Control, Progress, Steerable};
use super::playback::VolumeRamp;
use super::{AudioError, Played, Sink, SinkConfig, Target};
use crate::atomic_file::AtomicFile;

/// How many samples are written at a time: what a stop or a pause may come too late for.
const BLOCK_SAMPLES: usize = 2048;

const HEADER_BYTES: u64 = 44;
/// RIFF sizes are 32 bits, and count 36 bytes of header.
const LARGEST_WAV_BYTES: u64 = (u32::MAX - 36 - 1) as u64;

/// 16 bits, rounded; what is out of range stays at the limit, what is no number is silence.
pub fn to_pcm16(sample: f32) -> i16 {
    // `as` maps NaN to 0.
    (sample * 32767.0).round().clamp(-32768.0, 32767.0) as i16
}

/// The header of a WAV file of 16-bit mono samples; without a length, of a stream that ends when it ends.
pub(crate) fn wav_header(sample_rate_hz: u32, data_bytes: Option<u64>) -> Vec<u8> {
    const CHANNELS: u16 = 1;
    const BITS: u16 = 16;
    let frame_bytes = CHANNELS * BITS / 8;
    // By custom, sizes of all ones mean "until the end".
    let size = |extra: u64| data_bytes.map_or(u32::MAX, |bytes| (bytes + extra) as u32);
    let mut header = Vec::with_capacity(HEADER_BYTES as usize);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&size(HEADER_BYTES - 8).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&/* length of this part */ 16u32.to_le_bytes());
    header.extend_from_slice(&/* PCM */ 1u16.to_le_bytes());
    header.extend_from_slice(&CHANNELS.to_le_bytes());
    header.extend_from_slice(&sample_rate_hz.to_le_bytes());
    header.extend_from_slice(&(sample_rate_hz * u32::from(frame_bytes)).to_le_bytes());
    header.extend_from_slice(&frame_bytes.to_le_bytes());
    header.extend_from_slice(&BITS.to_le_bytes());
    header.extend_from_slice(b"data");
    header.extend_from_slice(&size(0).to_le_bytes());
    header
}

enum Output {
    /// A pipe, a terminal, a device node: written as it goes.
    Stream(Box<dyn Write + Send>),
    /// A file of its own: complete or absent.
    File(Box<AtomicFile>),
}

impl Output {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Output::Stream(stream) => stream,
            Output::File(file) => file.file(),
        }
    }
}

/// Writes 16-bit mono samples, with or without a WAV header.
struct PcmSink {
    output: Output,
    target: String,
    sample_rate_hz: u32,
    has_header: bool,
    is_started: bool,
    data_bytes: u64,
    volume: VolumeRamp,
    desk: Arc<Desk>,
}

/// What other threads see and turn.
struct Desk {
    sample_rate_hz: u32,
    state: Mutex<State>,
    bell: Bell,
}

#[derive(Debug, Clone, Copy)]
struct State {
    is_paused: bool,
    volume: f32,
    stops: u64,
    given_samples: u64,
    written_samples: u64,
    is_resting: bool,
}

impl Desk {
    /// Waits while paused, then gives the volume; `None` if a stop has come.
    fn clearance(&self, stops: u64) -> Option<f32> {
        loop {
            let seen = self.bell.count();
            let state = *lock(&self.state);
            if state.stops != stops {
                return None;
            }
            if !state.is_paused {
                return Some(state.volume);
            }
            self.bell.wait(seen, None);
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.bell.ring();
    }
}

impl Steerable for Desk {
    fn stop(&self) {
        self.change(|state| {
            state.stops += 1;
            state.is_resting = true;
        });
    }

    fn set_paused(&self, is_paused: bool) {
        self.change(|state| state.is_paused = is_paused);
    }

    fn is_paused(&self) -> bool {
        lock(&self.state).is_paused
    }

    fn set_volume(&self, factor: f32) {
        self.change(|state| state.volume = factor);
    }

    fn progress(&self) -> Progress {
        let state = *lock(&self.state);
        Progress {
            sample_rate_hz: self.sample_rate_hz,
            written_samples: state.given_samples,
            played_samples: state.written_samples,
            buffered_samples: None,
            underruns: 0,
            is_idle: state.is_resting,
            is_lost: false,
        }
    }
}

/// Opens a WAV sink.
///
/// # Errors
/// The target cannot be opened.
pub(super) fn open_wav(config: &SinkConfig) -> Result<Box<dyn Sink>, AudioError> {
    Ok(Box::new(PcmSink::open(config, true)?))
}

/// Opens a sink of samples without a header.
///
/// # Errors
/// The target cannot be opened.
pub(super) fn open_raw(config: &SinkConfig) -> Result<Box<dyn Sink>, AudioError> {
    Ok(Box::new(PcmSink::open(config, false)?))
}

impl PcmSink {
    fn open(config: &SinkConfig, has_header: bool) -> Result<Self, AudioError> {
        let (output, target) = match &config.target {
            Target::Stdout => (Output::Stream(Box::new(io::stdout())), "standard output".to_string()),
            Target::File(path) => {
                let target = path.display().to_string();
                let failed = |source| AudioError::from_write(&target, source);
                // A pipe or a device node must be written to, not replaced.
                let is_special = path.metadata().is_ok_and(|m| !m.is_file());
                let output = if is_special {
                    let file: File = OpenOptions::new().write(true).open(path).map_err(failed)?;
                    Output::Stream(Box::new(file))
                } else {
                    Output::File(Box::new(AtomicFile::create(path).map_err(failed)?))
                };
                (output, target)
            }
        };
        Ok(Self {
            output,
            target,
            sample_rate_hz: config.sample_rate_hz,
            has_header,
            is_started: false,
            data_bytes: 0,
            volume: VolumeRamp::new(config.sample_rate_hz),
            desk: Arc::new(Desk {
                sample_rate_hz: config.sample_rate_hz,
                state: Mutex::new(State {
                    is_paused: false,
                    volume: 1.0,
                    stops: 0,
                    given_samples: 0,
                    written_samples: 0,
                    is_resting: true,
                }),
                bell: Bell::default(),
            }),
        })
    }

    /// `None` for a stream, whose length nobody knows yet.
    fn start(&mut self) -> io::Result<()> {
        if !self.is_started {
            self.is_started = true;
            if self.has_header {
                let header = wav_header(self.sample_rate_hz, None);
                self.output.writer().write_all(&header)?;
            }
        }
        Ok(())
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.start()?;
        let writer = self.output.writer();
        writer.write_all(bytes)?;
        // Whoever reads the pipe plays it now.
        writer.flush()
    }

    fn complete(mut self) -> io::Result<()> {
        self.start()?;
        let header = wav_header(self.sample_rate_hz, Some(self.data_bytes));
        match self.output {
            Output::Stream(mut stream) => stream.flush(),
            Output::File(mut file) => {
                if self.has_header {
                    file.file().seek(SeekFrom::Start(0))?;
                    file.file().write_all(&header)?;
                }
                file.commit()
            }
        }
    }
}

impl PcmSink {
    fn write_block(&mut self, samples: &[f32], volume: f32) -> Result<(), AudioError> {
        let louder = |&sample: &f32| to_pcm16(sample * self.volume.next(volume)).to_le_bytes();
        let bytes: Vec<u8> = samples.iter().flat_map(louder).collect();
        self.data_bytes += bytes.len() as u64;
        let is_file = matches!(self.output, Output::File(_));
        if self.has_header && is_file && self.data_bytes > LARGEST_WAV_BYTES {
            return Err(AudioError::TooLong { target: self.target.clone(), limit_bytes: LARGEST_WAV_BYTES });
        }
        self.write_bytes(&bytes).map_err(|source| AudioError::from_write(&self.target, source))
    }
}

impl Sink for PcmSink {
    fn write(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        let desk = self.desk.clone();
        let (stops, mut position) = {
            let mut state = lock(&desk.state);
            let position = state.given_samples;
            state.given_samples += samples.len() as u64;
            state.is_resting = false;
            (state.stops, position)
        };
        for block in samples.chunks(BLOCK_SAMPLES) {
            let Some(volume) = desk.clearance(stops) else { break };
            self.write_block(block, volume)?;
            position += block.len() as u64;
            lock(&desk.state).written_samples = position;
        }
        Ok(())
    }

    fn rest(&mut self) -> Result<(), AudioError> {
        lock(&self.desk.state).is_resting = true;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Played, AudioError> {
        self.rest()?;
        let target = self.target.clone();
        self.complete().map_err(|source| AudioError::from_write(&target, source))?;
        Ok(Played::default())
    }

    fn control(&self) -> Control {
        Control::new(self.desk.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_rounded_and_limited() {
        let cases =
            [(0.0, 0), (1.0, 32767), (-1.0, -32767), (7.0, 32767), (-7.0, -32768), (f32::NAN, 0), (1e-5, 0)];
        for (sample, expected) in cases {
            assert_eq!(to_pcm16(sample), expected, "{sample}");
        }
    }

    #[test]
    fn a_wav_file_is_what_another_reader_expects() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let samples: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.1).sin() * 0.5).collect();
        let mut sink = open_wav(&SinkConfig::new(22_050, Target::File(path.clone()))).unwrap();
        sink.write(&samples[..300]).unwrap();
        assert!(!path.exists(), "the file appears when it is complete");
        sink.write(&samples[300..]).unwrap();
        sink.finish().unwrap();
        let mut reader = hound::WavReader::open(&path).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (22_050, 1));
        let read: Vec<i16> = reader.samples::<i16>().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, samples.iter().map(|&s| to_pcm16(s)).collect::<Vec<_>>());
    }

    #[test]
    fn an_unfinished_file_never_appears() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut sink = open_wav(&SinkConfig::new(22_050, Target::File(path))).unwrap();
        sink.write(&[0.0; 100]).unwrap();
        drop(sink);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn raw_has_no_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.raw");
        let mut sink = open_raw(&SinkConfig::new(22_050, Target::File(path.clone()))).unwrap();
        sink.write(&[1.0, 0.0]).unwrap();
        sink.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [0xff, 0x7f, 0, 0]);
    }

    #[test]
    fn a_stop_ends_the_write_and_the_next_one_starts_afresh() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.raw");
        let mut sink = open_raw(&SinkConfig::new(22_050, Target::File(path.clone()))).unwrap();
        let control = sink.control();
        assert!(control.is_idle());
        sink.write(&[0.5; 100]).unwrap();
        assert!(!control.is_idle());
        control.pause();
        let writer = std::thread::spawn(move || {
            // Waits: it is paused.
            sink.write(&[0.25; 5000]).unwrap();
            sink
        });
        while control.progress().written_samples < 5100 {
            std::thread::yield_now();
        }
        assert_eq!((control.played_samples(), control.buffered_ms()), (100, None));
        control.stop();
        let mut sink = writer.join().unwrap();
        assert!(control.is_idle());
        control.resume();
        sink.write(&[1.0; 7]).unwrap();
        assert_eq!(control.played_samples(), 5107);
        sink.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), 2 * 107);
        assert!(control.is_idle());
    }

    #[test]
    fn the_volume_is_written_too_without_a_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.raw");
        let mut sink = open_raw(&SinkConfig::new(1000, Target::File(path.clone()))).unwrap();
        sink.write(&[1.0; 3]).unwrap();
        sink.control().set_volume_db(-6.0206);
        sink.control().set_volume_db(f32::NAN);
        sink.write(&[1.0; 30]).unwrap();
        sink.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let levels: Vec<i16> = bytes.chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        assert!(levels.windows(2).all(|w| (0..=1639).contains(&(w[0] - w[1]))), "{levels:?}");
        assert_eq!((levels[2], levels[32]), (32767, 16384));
    }

    /// A sink that writes into a pipe, and the pipe's other end.
    #[cfg(unix)]
    fn pipe() -> (Box<dyn Sink>, File) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = std::thread::spawn({
            let path = path.clone();
            move || File::open(path).unwrap()
        });
        let sink = open_raw(&SinkConfig::new(22_050, Target::File(path))).unwrap();
        (sink, reader.join().unwrap())
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_that_is_full_holds_the_writer_and_nobody_else() {
        use std::io::Read;
        // More than any pipe holds.
        const COUNT: usize = 2 << 20;
        let (mut sink, mut reader) = pipe();
        let control = sink.control();
        let writer = std::thread::spawn(move || {
            sink.write(&vec![0.5; COUNT]).unwrap();
            sink.finish().unwrap();
        });
        while control.played_samples() == 0 {
            std::thread::yield_now();
        }
        control.set_volume_db(-10.0);
        control.stop();
        assert!(control.is_idle() && !writer.is_finished());
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        writer.join().unwrap();
        assert!(bytes.len() < 2 * COUNT, "the stop cut it short");
        assert_eq!(bytes.len() as u64, 2 * control.played_samples());
    }

    #[cfg(unix)]
    #[test]
    fn a_closed_pipe_is_told_apart() {
        let (mut sink, reader) = pipe();
        drop(reader);
        let error = sink.write(&[0.0; 10]).unwrap_err();
        assert!(matches!(error, AudioError::PipeClosed { .. }), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_that_names_the_target() {
        let mut sink = open_wav(&SinkConfig::new(22_050, Target::File("/dev/full".into()))).unwrap();
        let error = sink.write(&[0.0; 10]).unwrap_err();
        assert!(error.to_string().starts_with("/dev/full: cannot write"), "{error}");
        assert!(error.hint().unwrap().contains("space"));
    }
}
