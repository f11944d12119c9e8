//! Recordings from WAV files: any usual rate and depth, channels mixed to one.

use std::path::Path;

use hound::SampleFormat;

use super::SignalError;
use super::resample::RATES_HZ;

/// A recording longer than this is refused; cut it first.
const MAX_SECONDS: u32 = 3600;
const MAX_CHANNELS: u16 = 8;

/// Sound of one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Samples, full scale ±1.
    pub samples: Vec<f32>,
    /// Samples per second.
    pub sample_rate_hz: u32,
    /// Channels of the file, of which `samples` is the mean.
    pub channel_count: u16,
}

/// Reads a WAV file: 8 to 32 bit PCM or 32 bit float, 8000 to 192,000 Hz, 1 to 8 channels (averaged), up to an hour.
///
/// # Errors
/// [`SignalError::Wav`] if it is no WAV file or ends early, [`SignalError::WavContents`] beyond the limits above or for
/// samples that are not finite numbers.
pub fn read_wav(path: &Path) -> Result<Recording, SignalError> {
    let name = || path.display().to_string();
    let wav = |source| SignalError::Wav { path: name(), source };
    let contents =
        |what, expected: String, got: String| SignalError::WavContents { path: name(), what, expected, got };

    let mut reader = hound::WavReader::open(path).map_err(wav)?;
    let spec = reader.spec();
    if !RATES_HZ.contains(&spec.sample_rate) {
        let expected = format!("{} to {} Hz", RATES_HZ.start(), RATES_HZ.end());
        return Err(contents("sample rate", expected, format!("{} Hz", spec.sample_rate)));
    }
    if !(1..=MAX_CHANNELS).contains(&spec.channels) {
        return Err(contents("channels", format!("1 to {MAX_CHANNELS}"), spec.channels.to_string()));
    }
    if reader.duration() > MAX_SECONDS * spec.sample_rate {
        let got = format!("{} s", reader.duration() / spec.sample_rate);
        return Err(contents("length", format!("up to {MAX_SECONDS} s"), got));
    }
    let interleaved: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>().map_err(wav)?,
        SampleFormat::Int => {
            let scale = 1.0 / (1u64 << (spec.bits_per_sample - 1)) as f32;
            let scaled = reader.samples::<i32>().map(|sample| sample.map(|value| value as f32 * scale));
            scaled.collect::<Result<_, _>>().map_err(wav)?
        }
    };
    if let Some(i) = interleaved.iter().position(|sample| !sample.is_finite()) {
        return Err(contents("samples", "finite numbers".to_owned(), format!("{} at {i}", interleaved[i])));
    }
    let channels = usize::from(spec.channels);
    let mix = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
    Ok(Recording {
        samples: interleaved.chunks_exact(channels).map(mix).collect(),
        sample_rate_hz: spec.sample_rate,
        channel_count: spec.channels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write<S: hound::Sample + Copy>(path: &Path, spec: hound::WavSpec, samples: &[S]) {
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        for &sample in samples {
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
    }

    fn spec(channels: u16, bits_per_sample: u16, sample_format: SampleFormat) -> hound::WavSpec {
        hound::WavSpec { channels, sample_rate: 16_000, bits_per_sample, sample_format }
    }

    #[test]
    fn depths_and_channels_give_the_same_sound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        for bits in [8, 16, 24, 32] {
            let half = 1i32 << (bits - 2);
            write(&path, spec(2, bits, SampleFormat::Int), &[half, half, -half, 0, 0, -half]);
            let recording = read_wav(&path).unwrap();
            assert_eq!(recording.samples, [0.5, -0.25, -0.25], "{bits} bits");
            assert_eq!(recording.sample_rate_hz, 16_000);
        }
        write(&path, spec(1, 32, SampleFormat::Float), &[0.5f32, -0.25]);
        assert_eq!(read_wav(&path).unwrap().samples, [0.5, -0.25]);
    }

    #[test]
    fn bad_files_say_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        assert!(matches!(read_wav(&path), Err(SignalError::Wav { source: hound::Error::IoError(_), .. })));
        std::fs::write(&path, b"RIFX nothing").unwrap();
        assert!(matches!(read_wav(&path), Err(SignalError::Wav { .. })));

        write(&path, spec(1, 16, SampleFormat::Int), &[1i16; 100]);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 51]).unwrap();
        assert!(matches!(read_wav(&path), Err(SignalError::Wav { .. })));

        write(&path, spec(1, 32, SampleFormat::Float), &[0.5, f32::NAN]);
        let error = read_wav(&path).unwrap_err();
        assert!(error.to_string().ends_with("samples: expected finite numbers, got NaN at 1"), "{error}");

        write(&path, hound::WavSpec { sample_rate: 4000, ..spec(1, 16, SampleFormat::Int) }, &[1i16; 10]);
        assert!(read_wav(&path).unwrap_err().to_string().contains("sample rate: expected 8000 to 192000 Hz"));
        write(&path, spec(9, 16, SampleFormat::Int), &[1i16; 9]);
        assert!(read_wav(&path).unwrap_err().to_string().contains("channels: expected 1 to 8, got 9"));
    }
}
