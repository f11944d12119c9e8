//! The voice file: what is written is read back, and nothing else is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use candle_core::{Device, Tensor};
use fastglow::voice::{Fault, MelSettings, Meta, ModelConfigs, Packing, Part, Source, Voice, VoiceError};

fn meta() -> Meta {
    Meta {
        name: "tiny".into(),
        language: "en-US".into(),
        licence: "CC0-1.0".into(),
        provenance: "made by a test".into(),
        training: serde_json::json!({ "steps": 3 }),
        sample_rate_hz: 22_050,
        mel: MelSettings::default(),
    }
}

fn ramp(shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn weights() -> BTreeMap<String, Tensor> {
    BTreeMap::from([
        ("acoustic.norm.weight".to_string(), ramp(&[5])),
        ("acoustic.proj.weight".to_string(), ramp(&[3, 64])),
        ("vocoder.flows.0.end.weight".to_string(), ramp(&[4, 32])),
        ("vocoder.table.weight".to_string(), ramp(&[7, 3])),
    ])
}

fn tiny_voice(packing: Packing) -> Voice {
    let configs = ModelConfigs {
        acoustic: Some(serde_json::json!({ "width": 64 })),
        vocoder: Some(serde_json::json!({ "flows": 1 })),
    };
    Voice::new(meta(), configs, &weights(), packing).unwrap()
}

struct Saved {
    _folder: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

fn saved() -> Saved {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    tiny_voice(Packing::Small).save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    Saved { _folder: folder, path, bytes }
}

fn load(path: &Path) -> Result<Voice, VoiceError> {
    Voice::load(&Source::File(path.into()))
}

/// Loads these bytes as a file and returns the error, which must name the file.
fn refusal(path: &Path, bytes: &[u8]) -> VoiceError {
    std::fs::write(path, bytes).unwrap();
    let error = load(path).expect_err("a damaged voice was accepted");
    let message = error.to_string();
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    assert!(error.hint().is_some(), "{message}");
    error
}

fn fault(error: &VoiceError) -> &Fault {
    match error {
        VoiceError::Damaged { fault, .. } => fault,
        other => panic!("expected a damaged voice, got {other:?}"),
    }
}

#[test]
fn what_was_saved_is_loaded() {
    let file = saved();
    let voice = load(&file.path).unwrap();
    voice.verify().unwrap();
    assert_eq!(voice.meta(), &meta());
    assert_eq!(voice.config::<serde_json::Value>(Part::Acoustic).unwrap()["width"], 64);
    assert_eq!(voice.config::<serde_json::Value>(Part::Vocoder).unwrap()["flows"], 1);
    assert_eq!(voice.weights_sha256(), tiny_voice(Packing::Small).weights_sha256());
    assert_eq!((voice.weight_count(Part::Acoustic), voice.weight_count(Part::Vocoder)), (5 + 192, 128 + 21));

    let dtypes: Vec<_> = voice.tensors().map(|(_, _, dtype)| dtype).collect();
    assert_eq!(dtypes, [GgmlDType::F32, GgmlDType::Q8_0, GgmlDType::Q8_0, GgmlDType::F16]);
    for (name, tolerance) in [
        ("acoustic.norm.weight", 0.0),
        // Half a step of 1/127 of the largest value, which is 1.
        ("acoustic.proj.weight", 0.5 / 127.0 + 1e-3),
        // Half a step of 1/127 of the largest value in the block.
        ("vocoder.flows.0.end.weight", 0.5 / 127.0 + 1e-3),
        // Half a unit in the last of 11 bits.
        ("vocoder.table.weight", 2.5e-4),
    ] {
        let expected = &weights()[name];
        let got = voice.params().tensor(name, expected.shape(), fastglow::nn::Init::Zeros).unwrap();
        let worst = (got - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(worst <= tolerance, "{name}: {worst}");
    }
}

#[test]
fn saving_twice_gives_the_same_bytes() {
    let (first, second) = (saved(), saved());
    assert_eq!(first.bytes, second.bytes);
}

#[test]
fn candle_reads_our_container() {
    let file = saved();
    let mut reader = std::fs::File::open(&file.path).unwrap();
    let content = candle_core::quantized::gguf_file::Content::read(&mut reader).unwrap();
    assert_eq!(content.metadata["general.name"].to_string().unwrap(), "tiny");
    let tensor = content.tensor(&mut reader, "acoustic.norm.weight", &Device::Cpu).unwrap();
    let expected = weights()["acoustic.norm.weight"].to_vec1::<f32>().unwrap();
    assert_eq!(tensor.dequantize(&Device::Cpu).unwrap().to_vec1::<f32>().unwrap(), expected);
}

#[test]
fn every_truncation_is_refused() {
    let file = saved();
    for length in 0..file.bytes.len() {
        let error = refusal(&file.path, &file.bytes[..length]);
        let expected = matches!(fault(&error), Fault::Magic(_) | Fault::Truncated { .. });
        assert!(expected, "{length} bytes: {error}");
    }
}

#[test]
fn every_flipped_byte_is_refused() {
    let file = saved();
    for at in 0..file.bytes.len() {
        let mut bytes = file.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        refusal(&file.path, &bytes);
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let file = saved();
    let mut bytes = file.bytes.clone();
    bytes.extend([0; 32]);
    assert!(matches!(fault(&refusal(&file.path, &bytes)), Fault::Size { .. }));
}

#[test]
fn a_voice_outlives_the_replacement_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    tiny_voice(Packing::Small).save(&path).unwrap();
    let before = load(&path).unwrap();
    tiny_voice(Packing::Float).save(&path).unwrap();
    before.verify().unwrap();
    let after = load(&path).unwrap();
    after.verify().unwrap();
    assert_ne!(before.weights_sha256(), after.weights_sha256());
}

#[test]
fn absurd_numbers_are_refused_by_name() {
    let file = saved();
    let with = |at: usize, value: u64| {
        let mut bytes = file.bytes.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let place_of = |text: &str| file.bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
    // Tensor count, metadata count, the first key's length, each absurd and each merely wrong.
    for (at, what) in [(8, "tensor count"), (16, "metadata count"), (24, "metadata key")] {
        for value in [u64::MAX, 1 << 62, 100_000] {
            let message = refusal(&file.path, &with(at, value)).to_string();
            assert!(message.contains(what), "{at} {value}: {message}");
        }
    }
    // A string value's length: after its key and type.
    let value_length = place_of("fastglow.provenance") + "fastglow.provenance".len() + 4;
    let message = refusal(&file.path, &with(value_length, 1 << 40)).to_string();
    assert!(message.contains("fastglow.provenance") && message.contains("at most"), "{message}");
    // A tensor's dimensions and its offset. Two dimensions, a precision, then the offset.
    let name = "acoustic.proj.weight";
    let dims = place_of(name) + name.len() + 4;
    for value in [0, 63, u64::MAX, 1 << 61] {
        let message = refusal(&file.path, &with(dims, value)).to_string();
        assert!(message.contains(name), "{value}: {message}");
    }
    let error = refusal(&file.path, &with(dims, 1 << 20));
    assert!(matches!(fault(&error), Fault::Truncated { what, .. } if what.contains(name)), "{error}");
    for value in [0, 1, u64::MAX] {
        let error = refusal(&file.path, &with(dims + 8 + 8 + 4, value));
        assert!(matches!(fault(&error), Fault::Offset { tensor, .. } if tensor == name), "{error}");
    }
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gguf");
    assert!(matches!(fault(&refusal(&path, b"RIFF....WAVEfmt ")), Fault::Magic(_)));
    assert!(matches!(fault(&refusal(&path, b"")), Fault::Magic(_)));
    assert!(matches!(load(folder.path()).unwrap_err(), VoiceError::Read { .. }));
    assert!(matches!(load(&folder.path().join("none.gguf")).unwrap_err(), VoiceError::Read { .. }));
}

#[test]
fn a_foreign_but_sound_gguf_is_refused() {
    use candle_core::quantized::{QTensor, gguf_file};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("llama.gguf");
    let tensor = QTensor::quantize(&ramp(&[2, 32]), GgmlDType::F32).unwrap();
    let mut file = std::fs::File::create(&path).unwrap();
    gguf_file::write(&mut file, &[], &[("a", &tensor)]).unwrap();
    let error = load(&path).unwrap_err();
    // Candle writes version 2.
    assert!(matches!(fault(&error), Fault::Version { got: 2, .. }), "{error}");
}

#[test]
fn weights_must_be_finite() {
    let mut weights = weights();
    weights.insert("acoustic.bad".into(), Tensor::new(&[0f32, f32::NAN], &Device::Cpu).unwrap());
    let error = Voice::new(meta(), ModelConfigs::default(), &weights, Packing::Small).unwrap_err();
    assert!(matches!(fault(&error), Fault::NotFinite(name) if name == "acoustic.bad"));
}

#[test]
fn a_wrong_shape_names_the_tensor() {
    let voice = tiny_voice(Packing::Small);
    let error = voice.params().pp("acoustic").weight("proj.weight", 3, 32, fastglow::nn::Init::Zeros);
    let message = error.err().unwrap().to_string();
    assert!(message.contains("acoustic.proj.weight") && message.contains("[3, 64]"), "{message}");
}

#[test]
fn a_voice_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let error = tiny_voice(Packing::Float).save(&folder.path().join("no/such/a.gguf")).unwrap_err();
    assert!(matches!(error, VoiceError::Write { .. }), "{error}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_config_of_another_kind_is_refused() {
    #[derive(Debug, serde::Deserialize)]
    struct Other {
        #[allow(dead_code)]
        depth: usize,
    }
    let error = tiny_voice(Packing::Float).config::<Other>(Part::Vocoder).unwrap_err();
    assert!(error.to_string().contains("fastglow.vocoder.config"), "{error}");
}
