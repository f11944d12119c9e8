//! Published checkpoints by the program: imported, spoken with, compared, made smaller.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fastglow::engine::{Event, SpeakConfig, Synthesizer};
use fastglow::import::Checkpoint;
use fastglow::vocoder::Denoiser;
use fastglow::voice::{Packing, Source, Voice};

use crate::checkpoints::{self, Sizes};
use crate::goldens;

const STATS: &str = r#"{"pitch": [-0.35, 0.35, 200.0, 40.0], "energy": [-0.35, 0.35, 35.0, 25.0]}"#;

struct Folder(tempfile::TempDir);

impl Folder {
    /// With a FastSpeech 2 of the published symbols, its statistics, and a WaveGlow for the same mels.
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let sizes = Sizes { symbols: 361, ..Sizes::default() };
        checkpoints::save(&checkpoints::fastspeech2(sizes), &folder.path("acoustic.safetensors"));
        checkpoints::save(&checkpoints::waveglow(sizes.mels), &folder.path("vocoder.safetensors"));
        std::fs::write(folder.path("stats.json"), STATS).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the program here.
    fn run(&self, arguments: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_fastglow"))
            .args(arguments.split(' '))
            .current_dir(self.0.path())
            .env("ALSA_CONFIG_PATH", "/dev/null")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends with this code and says what is wrong and what to do.
    #[track_caller]
    fn fails(&self, arguments: &str, code: i32) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains("\nhint: "), "{stderr}");
        stderr
    }

    fn voice(&self, name: &str) -> Voice {
        Voice::load(&Source::File(self.path(name))).unwrap()
    }
}

const BOTH: &str = "import --acoustic acoustic.safetensors --stats stats.json --vocoder vocoder.safetensors";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn two_checkpoints_become_a_voice_that_speaks() {
    let folder = Folder::new();
    let report = folder.succeeds(&format!("{BOTH} --name both -o both.gguf"));
    for part in ["FastSpeech 2 at `model.`", "WaveGlow at `model.`", "our 69 phones by name", "tensors equal"]
    {
        assert!(report.contains(part), "{report}");
    }
    assert_eq!(folder.voice("both.gguf").meta().name, "both");
    folder.succeeds("voices verify both.gguf");
    folder.succeeds("speak --voice both.gguf -o a.wav Well,yes.");
    let mut reader = hound::WavReader::open(folder.path("a.wav")).unwrap();
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().unwrap();
    assert!(samples.len() > 2048 && samples.iter().any(|sample| sample.unsigned_abs() > 100));
    folder.succeeds("speak --voice both.gguf --pitch 3 --rate 0.8 -o b.wav Well,yes.");
    assert!(std::fs::metadata(folder.path("b.wav")).unwrap().len() > 2 * samples.len() as u64 + 44);
    let error = folder.fails("speak --voice both.gguf --speaker 1 -o c.wav Well.", 1);
    assert!(error.contains("speaker"), "{error}");
    assert!(!folder.path("c.wav").exists());
}

/// In windows as at once, and the first window sounds as soon as it did.
#[test]
fn the_hum_of_a_published_vocoder_is_taken_out_on_request_or_by_default() {
    let folder = Folder::new();
    folder.succeeds(&format!("{BOTH} -o plain.gguf"));
    folder.succeeds(&format!("{BOTH} --denoise 0.3 -o clean.gguf"));
    let load = |name: &str| Synthesizer::new(&folder.voice(name)).unwrap();
    let speak = |synthesizer: &Synthesizer, config: SpeakConfig| {
        let mut windows: Vec<Vec<f32>> = Vec::new();
        let mut keep = |event: Event<'_>| {
            if let Event::Samples(samples) = event {
                windows.push(samples.to_vec());
            }
            std::ops::ControlFlow::Continue(())
        };
        let mut utterance = synthesizer.utterance(config).unwrap();
        utterance.push("Well, yes. It is.", &mut keep).unwrap();
        utterance.finish(&mut keep).unwrap();
        windows
    };
    let quiet = SpeakConfig { noise_scale: 0.1, ..SpeakConfig::default() };
    let (plain, clean) = (load("plain.gguf"), load("clean.gguf"));
    let hum = speak(&plain, quiet.clone()).concat();
    assert!(hum.iter().all(|sample| sample.abs() < 0.7), "nothing is limited");
    let denoiser = Denoiser::new(plain.vocoder()).unwrap();
    let want = denoiser.forward(&hum, 0.3).unwrap();
    let close = |got: &[f32], want: &[f32]| {
        assert_eq!(got.len(), want.len());
        got.iter().zip(want).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap() < 1e-5
    };
    assert!(!close(&hum, &want), "the denoiser does something");
    for (first_window_frames, longest_window_frames) in [(1, 1), (3, 7), (8, 64), (1024, 1024)] {
        let sizes = SpeakConfig { first_window_frames, longest_window_frames, ..quiet.clone() };
        let asked = speak(&plain, SpeakConfig { denoise: Some(0.3), ..sizes.clone() });
        assert!(close(&asked.concat(), &want), "{first_window_frames} frames");
        assert!(close(&speak(&clean, sizes.clone()).concat(), &want), "by default");
        let off = speak(&clean, SpeakConfig { denoise: Some(0.0), ..sizes });
        assert!(close(&off.concat(), &hum), "not when told so");
        if first_window_frames == 8 {
            assert_eq!(asked[0].len(), 5 * 256, "three frames of eight wait for the next window");
        }
    }
    folder.succeeds("speak --voice plain.gguf --denoise 0.3 -o a.wav Well.");
    folder.succeeds("speak --voice clean.gguf -o b.wav Well.");
    let bytes = |name: &str| std::fs::read(folder.path(name)).unwrap();
    assert!(bytes("a.wav") == bytes("b.wav"));
    assert!(folder.fails("speak --denoise 0.3 -o c.wav Well.", 3).contains("without a hum"));
}

#[test]
fn a_voice_of_one_model_says_what_it_lacks_and_can_be_lent_it() {
    let folder = Folder::new();
    folder.succeeds(&format!("{BOTH} -o both.gguf"));
    folder.succeeds("import --acoustic acoustic.safetensors --stats stats.json -o half.gguf");
    folder.succeeds("import --vocoder vocoder.safetensors -o rest.gguf");
    for half in ["half.gguf", "rest.gguf"] {
        folder.succeeds(&format!("voices verify {half}"));
        folder.succeeds(&format!("voices show {half}"));
    }
    assert!(folder.fails("speak --voice half.gguf -o a.wav Hi.", 3).contains("holds no vocoder model"));
    assert!(folder.fails("speak --voice rest.gguf -o a.wav Hi.", 3).contains("holds no acoustic model"));
    folder.succeeds("speak --voice both.gguf -o a.wav Hello.");
    folder.succeeds("speak --voice half.gguf --vocoder rest.gguf -o b.wav Hello.");
    let bytes = |name: &str| std::fs::read(folder.path(name)).unwrap();
    assert!(bytes("a.wav") == bytes("b.wav"), "a lent vocoder is the same vocoder");
    checkpoints::save(&checkpoints::waveglow(4), &folder.path("narrow.safetensors"));
    folder.succeeds("import --vocoder narrow.safetensors -o narrow.gguf");
    let error = folder.fails("speak --voice half.gguf --vocoder narrow.gguf -o c.wav Hello.", 3);
    assert!(error.contains("mel bands: expected 6, got 4"), "{error}");
}

/// Its six channels are no whole tiles of 8-bit weights, and are not taken apart.
#[test]
fn a_quantised_vocoder_of_any_width_can_be_loaded() {
    let folder = Folder::new();
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/published_waveglow.safetensors");
    folder.succeeds(&format!("import --vocoder {from} --quantize q8_0 -o w.gguf"));
    fastglow::engine::vocoder_model(&folder.voice("w.gguf")).unwrap();
}

#[test]
fn what_cannot_be_imported_is_refused_and_nothing_is_written() {
    let folder = Folder::new();
    checkpoints::save(&checkpoints::waveglow(4), &folder.path("narrow.safetensors"));
    std::fs::write(folder.path("noise.pt"), b"neither this nor that").unwrap();
    std::fs::write(folder.path("other.json"), STATS.replace("0.35", "2.5")).unwrap();
    let refused = |arguments: &str, what: &str| {
        let error = folder.fails(&format!("import {arguments} -o out.gguf"), 1);
        assert!(error.contains(what), "{error}");
        assert!(!folder.path("out.gguf").exists());
    };
    let acoustic = "--acoustic acoustic.safetensors";
    refused(&format!("{acoustic} --vocoder narrow.safetensors"), "6 mel bands, the vocoder takes 4");
    refused("--vocoder noise.pt", "noise.pt");
    refused("--vocoder acoustic.safetensors", "expected one WaveGlow in the checkpoint, got 0");
    refused("--acoustic vocoder.safetensors", "a checkpoint of WaveGlow");
    refused(&format!("{acoustic} --stats other.json"), "bins from -0.35 to 0.35");
    refused(&format!("{acoustic} --stats noise.pt"), "statistics: noise.pt");
    refused(&format!("{acoustic} --heads 3"), "heads");
    refused(&format!("{acoustic} --speaker 1"), "speaker: expected 0 to 0");
    let mut part = checkpoints::fastspeech2(Sizes { symbols: 361, ..Sizes::default() });
    part.retain(|name, _| !name.ends_with("mel_linear.bias"));
    checkpoints::save(&part, &folder.path("part.safetensors"));
    refused("--acoustic part.safetensors", "mel_head.bias");
}

#[test]
fn a_language_that_is_not_read_is_not_spoken() {
    let folder = Folder::new();
    folder.succeeds(&format!("{BOTH} --language de-DE -o both.gguf"));
    assert!(folder.fails("speak --voice both.gguf -o a.wav Hello.", 3).contains("`de-DE`"));
}

#[test]
#[cfg(feature = "mandarin")]
fn a_mandarin_voice_reads_characters() {
    let folder = Folder::new();
    folder.succeeds(&format!("{BOTH} --language zh-CN -o both.gguf"));
    folder.succeeds("speak --voice both.gguf -o a.wav --marks a.json 你好，现在是10:30。");
    let mut reader = hound::WavReader::open(folder.path("a.wav")).unwrap();
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().unwrap();
    assert!(samples.len() > 2048 && samples.iter().any(|sample| sample.unsigned_abs() > 100));
    let marks = json(&std::fs::read_to_string(folder.path("a.json")).unwrap());
    let words: String =
        marks["words"].as_array().unwrap().iter().map(|word| word["text"].as_str().unwrap()).collect();
    assert_eq!(words, "你好现在是十点三十分");
    let phones: Vec<&str> =
        marks["phones"].as_array().unwrap().iter().map(|p| p["phone"].as_str().unwrap()).collect();
    assert!(phones.windows(4).any(|four| four == ["n", "i2", "h", "ao3"]), "{phones:?}");
    assert!(marks["phones"].as_array().unwrap().iter().any(|phone| phone["viseme"] == "aa"));
    assert!(folder.fails("speak --voice both.gguf -o b.wav мир", 5).contains("text:"));
}

#[test]
fn fewer_bits_are_reported_tensor_by_tensor() {
    let folder = Folder::new();
    let text = folder.succeeds(&format!("{BOTH} --quantize q8_0 -o small.gguf"));
    assert!(
        text.contains("vocoder.wn.*.in_layers.*.weight keeps F16: its rows of 24 are no whole blocks of 32"),
        "{text}"
    );
    folder.succeeds(&format!("{BOTH} -o both.gguf"));
    folder.succeeds("quantize both.gguf --format q8_0 -o again.gguf");
    let (small, again) = (folder.voice("small.gguf"), folder.voice("again.gguf"));
    assert_eq!(small.weights_sha256(), again.weights_sha256(), "early or late is the same");
    let rows = json(&folder.succeeds("quantize both.gguf --report json"));
    let rows = rows.as_array().unwrap();
    let formats: Vec<&str> = rows.iter().map(|row| row["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["f32", "f16", "q8_0", "q6k", "q4k", "mixed"]);
    let number = |row: usize, key: &str| rows[row][key].as_f64().unwrap();
    for key in ["mel_l1", "pitch_error_cents", "log_spectral_distance_db"] {
        assert_eq!(number(0, key), 0.0, "{key}");
    }
    assert!(number(0, "flow_snr_db") > 80.0, "a flow of floats comes back: {}", number(0, "flow_snr_db"));
    for row in 1..rows.len() {
        assert!(number(row, "file_bytes") < number(0, "file_bytes"), "{}", formats[row]);
        assert!(
            number(row, "mel_l1") > 0.0 && number(row, "mel_l1") < 0.1,
            "{}: {}",
            formats[row],
            rows[row]
        );
        assert!(
            number(row, "log_spectral_distance_db") < 6.0 && number(row, "flow_snr_db") > 20.0,
            "{}",
            rows[row]
        );
        assert!(number(row, "peak_rss_kb") > 0.0 && number(row, "real_time_factor") > 0.0);
    }
    let table = folder.succeeds("quantize both.gguf --format q8_0 --report");
    assert!(table.starts_with("format ") && table.contains("q8_0") && !table.contains("q4k"), "{table}");
}

#[test]
fn weights_are_exported_as_they_are() {
    let folder = Folder::new();
    folder.succeeds(&format!("{BOTH} -o both.gguf"));
    folder.succeeds("voices export both.gguf -o out.safetensors");
    let exported =
        candle_core::safetensors::load(folder.path("out.safetensors"), &candle_core::Device::Cpu).unwrap();
    let voice = folder.voice("both.gguf");
    assert_eq!(exported.len(), voice.tensors().count());
    for (name, dims, _) in voice.tensors() {
        assert_eq!(exported[name].dims(), dims, "{name}");
        let bytes: Vec<u8> = exported[name]
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        assert_eq!(bytes, voice.tensor_bytes(name).unwrap(), "{name}");
    }
    assert_eq!(Checkpoint::open(&folder.path("out.safetensors")).unwrap().tensors().len(), exported.len());
}

#[test]
fn repacking_floats_as_floats_changes_nothing() {
    let folder = Folder::new();
    folder.succeeds(&format!("{BOTH} -o both.gguf"));
    let voice = folder.voice("both.gguf");
    assert_eq!(voice.repacked(Packing::Float).unwrap().weights_sha256(), voice.weights_sha256());
}

/// Imports the committed models, whose files hold their outputs as well.
fn fixture(folder: &Folder, name: &str, part: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    folder.succeeds(&format!("import --{part} {} -o {part}.gguf", file.display()));
    file
}

#[test]
fn parity_of_the_committed_models_is_shown_array_by_array() {
    let folder = Folder::new();
    let device = candle_core::Device::Cpu;
    for (name, part, array) in [
        ("published_fastspeech2.safetensors", "acoustic", "batch_c2_mel_after"),
        ("published_waveglow.safetensors", "vocoder", "denoised_audio"),
    ] {
        let file = fixture(&folder, name, part);
        let mut arrays = candle_core::safetensors::load(file, &device).unwrap();
        // The controls that `make_published_references.py` set.
        for (case, controls) in [("c1", [1f32, 1.0, 1.0]), ("c2", [1.2, 0.9, 1.1]), ("c3", [0.8, 1.3, 1.7])] {
            let controls = candle_core::Tensor::new(&controls, &device).unwrap();
            arrays.insert(format!("controls_{case}"), controls);
        }
        candle_core::safetensors::save(&arrays, folder.path("io.safetensors")).unwrap();
        let report = json(&folder.succeeds(&format!("parity --voice {part}.gguf io.safetensors")));
        assert_eq!(report["is_within"], true);
        let compared = report["compared"].as_array().unwrap();
        let row = compared.iter().find(|row| row["array"] == array).expect(array);
        assert!(row["error"].as_f64().unwrap() <= 1e-4 && row["is_within"] == true);
        let ignored = report["ignored"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        let strangers: Vec<_> = ignored.filter(|name| !name.starts_with("model.")).collect();
        assert!(part == "vocoder" || strangers.is_empty(), "{strangers:?}");
    }
    let file = fixture(&folder, "published_fastspeech2.safetensors", "acoustic");
    let without_controls = format!("parity --voice acoustic.gguf {}", file.display());
    let report = json(&folder.succeeds(&without_controls));
    assert_eq!(report["missing"], serde_json::json!(["controls_c1"]));
}

#[test]
fn a_wrong_array_fails_the_parity_and_a_missing_one_is_named() {
    let folder = Folder::new();
    let file = fixture(&folder, "published_waveglow.safetensors", "vocoder");
    let device = candle_core::Device::Cpu;
    let mut arrays = candle_core::safetensors::load(&file, &device).unwrap();
    arrays.retain(|name, _| !name.starts_with("model."));
    arrays.insert("stranger".into(), candle_core::Tensor::new(&[1f32], &device).unwrap());
    let save = |arrays: &std::collections::HashMap<String, candle_core::Tensor>| {
        candle_core::safetensors::save(arrays, folder.path("io.safetensors")).unwrap();
    };
    let run = "parity --voice vocoder.gguf io.safetensors";

    let audio = arrays["audio"].clone();
    arrays.insert("audio".into(), (&audio * 1.001).unwrap());
    save(&arrays);
    let output = folder.run(run);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(std::str::from_utf8(&output.stdout).unwrap());
    let row = |array: &str| {
        report["compared"].as_array().unwrap().iter().find(|row| row["array"] == array).unwrap().clone()
    };
    assert_eq!((&report["is_within"], &row("audio")["is_within"]), (&false.into(), &false.into()));
    assert_eq!(row("fwd_z")["is_within"], true);
    assert_eq!(report["ignored"], serde_json::json!(["stranger"]));

    arrays.insert("audio".into(), audio.narrow(0, 0, 7).unwrap());
    save(&arrays);
    assert_eq!(folder.run(run).status.code(), Some(1), "another shape");
    arrays.insert("audio".into(), (&audio * f64::NAN).unwrap());
    save(&arrays);
    assert_eq!(folder.run(run).status.code(), Some(1), "not a number");

    arrays.insert("audio".into(), audio);
    arrays.remove("noise_1");
    save(&arrays);
    let report = json(&folder.succeeds(run));
    let missing = report["missing"].as_array().unwrap();
    assert!(missing.contains(&"noise_1".into()), "{missing:?}");
    let compared = report["compared"].as_array().unwrap();
    assert!(compared.iter().all(|row| row["array"] != "audio"), "without all of its noise there is no audio");

    arrays.retain(|name, _| name == "stranger" || name == "noise_0");
    save(&arrays);
    assert!(folder.fails(run, 1).contains("fwd_audio"), "nothing can be compared");

    arrays.retain(|name, _| name == "stranger");
    save(&arrays);
    assert!(folder.fails(run, 1).contains("set of known arrays"));
}

/// The golden set, by the program alone.
#[test]
fn golden_checkpoints_are_met_by_the_program() {
    let folder = Folder::new();
    for (option, checkpoint, arrays) in [
        ("acoustic", "fastspeech2_ckpt.pth.tar", "fastspeech2_io.safetensors"),
        ("vocoder", "waveglow_classic_legacy.pt", "waveglow_io.safetensors"),
        ("vocoder", "waveglow_classic_zip.pt", "waveglow_io.safetensors"),
        ("vocoder", "waveglow_ngc_statedict.pt", "waveglow_io.safetensors"),
        ("vocoder", "wide80/waveglow_classic_legacy.pt", "wide80/waveglow_io.safetensors"),
    ] {
        let (Some(checkpoint), Some(arrays)) = (goldens::file(checkpoint), goldens::file(arrays)) else {
            return;
        };
        folder.succeeds(&format!("import --{option} {} -o voice.gguf", checkpoint.display()));
        let report = json(&folder.succeeds(&format!("parity --voice voice.gguf {}", arrays.display())));
        assert_eq!(
            (&report["missing"], &report["ignored"]),
            (&serde_json::json!([]), &serde_json::json!([]))
        );
    }
    let Some(arrays) = goldens::file("mel_io.safetensors") else { return };
    folder.succeeds(&format!("parity {}", arrays.display()));
}
