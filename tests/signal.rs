//! The signal front end against librosa, parselmouth and numpy (`tests/make_references.py`), and against the golden mel set.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use fastglow::signal::{
    Excitation, ExcitationConfig, F0Config, F0Tracker, MelConfig, MelSpectrogram, SourceFrame, Stft,
    aligned_excitation, continuous_log_f0, read_wav,
};

use super::goldens;

const HOP: usize = 256;
/// The part of the excitation that the references hold, in frames.
const EXCITATION_FRAMES: std::ops::Range<usize> = 40..84;

type Arrays = HashMap<String, Tensor>;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn references() -> Arrays {
    candle_core::safetensors::load(data("signal.safetensors"), &Device::Cpu).unwrap()
}

fn values(arrays: &Arrays, name: &str) -> Vec<f32> {
    arrays[name].flatten_all().unwrap().to_vec1().unwrap()
}

/// `[rows, columns]` to `[columns, rows]`, row-major.
fn transposed(arrays: &Arrays, name: &str) -> Vec<f32> {
    arrays[name].t().unwrap().contiguous().unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn speech() -> Vec<f32> {
    let recording = read_wav(&data("speech.wav")).unwrap();
    assert_eq!(recording.sample_rate_hz, 22_050);
    recording.samples
}

/// Largest difference, and largest magnitude of `want`.
fn distance(got: &[f32], want: &[f32]) -> (f32, f32) {
    assert_eq!(got.len(), want.len());
    let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap();
    (worst, want.iter().map(|w| w.abs()).max_by(f32::total_cmp).unwrap())
}

/// Energy of the difference over energy of `want`.
fn relative_energy(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    let error: f32 = got.iter().zip(want).map(|(a, b)| (a - b) * (a - b)).sum();
    error / want.iter().map(|w| w * w).sum::<f32>()
}

/// Log-mels differ by rounding where the magnitude is near the floor: there the tolerance is wider.
fn check_log_mel(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let tolerance = if *want > -9.0 { 1e-3 } else { 5e-3 };
        assert!((got - want).abs() <= tolerance, "frame {} band {}: {got} {want}", i / 80, i % 80);
    }
}

#[test]
fn mels_of_speech_are_those_of_librosa() {
    let want = transposed(&references(), "log_mel");
    let mel = MelSpectrogram::new(MelConfig::default()).unwrap();
    let got = mel.forward(&speech()).unwrap();
    assert_eq!(got.frame_count(), speech().len() / HOP + 1);
    check_log_mel(&got.log_mel[..want.len()], &want);
}

#[test]
fn pitch_of_speech_is_that_of_parselmouth() {
    let want = values(&references(), "f0_hz");
    let got = F0Tracker::new(F0Config::default()).unwrap().track(&speech()).unwrap();
    let (mut voiced, mut gross, mut disagreeing, mut cents) = (0, 0, 0, Vec::new());
    for (got, &want) in got.iter().zip(&want) {
        match got {
            Some(got) if want > 0.0 => {
                voiced += 1;
                gross += usize::from((got / want - 1.0).abs() > 0.2);
                cents.push((1200.0 * (got / want).log2()).abs());
            }
            None if want == 0.0 => {}
            _ => disagreeing += 1,
        }
    }
    cents.sort_by(f32::total_cmp);
    assert!(voiced > 130, "{voiced} of {} frames voiced in both", want.len());
    assert_eq!(gross, 0, "octave errors and the like");
    assert!(disagreeing * 50 <= want.len(), "voicing differs in {disagreeing} of {} frames", want.len());
    assert!(cents[voiced / 2] < 0.5 && cents[voiced * 95 / 100] < 5.0, "{} cents", cents[voiced / 2]);
}

fn source_frames(arrays: &Arrays) -> Vec<SourceFrame> {
    let voicing = values(arrays, "f0_hz").into_iter().map(|hz| if hz > 0.0 { 1.0 } else { 0.0 });
    values(arrays, "log_f0")
        .into_iter()
        .zip(voicing)
        .map(|(log_f0, voicing)| SourceFrame { log_f0, voicing })
        .collect()
}

#[test]
fn gaps_in_pitch_are_bridged_as_in_numpy() {
    let arrays = references();
    let track: Vec<_> = values(&arrays, "f0_hz").into_iter().map(|hz| (hz > 0.0).then_some(hz)).collect();
    let (worst, _) = distance(&continuous_log_f0(&track, 100.0), &values(&arrays, "log_f0"));
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn the_source_is_that_of_its_definition() {
    let arrays = references();
    let got = Excitation::new(ExcitationConfig::default()).forward(&source_frames(&arrays));
    let part = EXCITATION_FRAMES.start * HOP..EXCITATION_FRAMES.end * HOP;
    let (worst, largest) = distance(&got[part], &values(&arrays, "excitation"));
    assert!(worst < 1e-4 * largest, "{worst} of {largest}");
}

#[test]
fn the_aligned_source_is_that_of_its_definition() {
    let arrays = references();
    let got = aligned_excitation(ExcitationConfig::default(), &speech(), &source_frames(&arrays)).unwrap();
    let part = EXCITATION_FRAMES.start * HOP..EXCITATION_FRAMES.end * HOP;
    let want = values(&arrays, "aligned_excitation");
    // Ours interpolates the alignment between every 16th sample.
    let error = relative_energy(&got[part.clone()], &want);
    assert!(error < 1e-3, "{error}");
    // The test can fail: without alignment the pulses stand elsewhere.
    let unaligned = Excitation::new(ExcitationConfig::default()).forward(&source_frames(&arrays));
    assert!(relative_energy(&unaligned[part], &want) > 0.5);
}

#[test]
fn the_golden_mels_are_met() {
    let Some(path) = goldens::file("mel_io.safetensors") else { return };
    let arrays = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let audio = values(&arrays, "audio");

    let stft = Stft::new(1024, HOP).unwrap();
    let spectrum = stft.forward(&audio).unwrap();
    let (worst, largest) = distance(&spectrum.magnitudes(), &transposed(&arrays, "magnitude"));
    assert!(worst <= 1e-4 * largest, "magnitude: {worst} of {largest}");
    let (worst, largest) = distance(&stft.inverse(&spectrum).unwrap(), &values(&arrays, "istft_roundtrip"));
    assert!(worst <= 1e-4 * largest, "inverse: {worst} of {largest}");

    let mel = MelSpectrogram::new(MelConfig::default()).unwrap();
    let (worst, _) = distance(&mel.filter_matrix(), &values(&arrays, "mel_basis"));
    assert!(worst <= 1e-6, "filters: {worst}");
    let frames = mel.forward(&audio).unwrap();
    check_log_mel(&frames.log_mel, &transposed(&arrays, "mel"));
    let (worst, largest) = distance(&frames.energy, &values(&arrays, "energy"));
    assert!(worst <= 1e-4 * largest, "energy: {worst} of {largest}");
}
