//! `fastglow train` as a process: features of a small corpus, a run that is killed for good, a full disk.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fastglow::train::checkpoint;

use super::{bits, timeless_log};

const RATE_HZ: u32 = 22_050;
const STAGE: &str = "vocoder-prior";
const STEPS: u64 = 10;

/// Three utterances to learn from and one held out: a gliding hum that says "ma".
fn corpus(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for index in [0, 1, 2, 49] {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE_HZ,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(folder.join(format!("{index:05}.wav")), spec).unwrap();
        let (length, mut phase) = (RATE_HZ * 3 / 2, 0.0);
        for n in 0..length {
            phase += TAU * (120.0 + f64::from(index) + 40.0 * f64::from(n) / f64::from(length))
                / f64::from(RATE_HZ);
            let hum: f64 = (1..=8).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum();
            let sounds = (length / 5..length * 4 / 5).contains(&n);
            writer.write_sample(if sounds { (6000.0 * hum) as i16 } else { 0 }).unwrap();
        }
        writer.finalize().unwrap();
        let labels = "x\tMa!\nw\t_1\tMa\nt\t_1\tMa\t!\np\tpau\t0.3\t-\t-\np\tm\t0.6\t1\t0\np\taa\t1.2\t1\t0\n\
                      p\tpau\t1.5\t-\t-\n";
        std::fs::write(folder.join(format!("{index:05}.lab")), labels).unwrap();
    }
}

fn fastglow(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastglow"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The features, made by the program once for all tests.
fn features() -> &'static Path {
    static FEATURES: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let make = || {
        let work = tempfile::tempdir().unwrap();
        corpus(&work.path().join("corpus/utterances"));
        succeeds(fastglow(&["train", "features", work.path().to_str().unwrap()]).output().unwrap());
        let features = work.path().join("features");
        (work, features)
    };
    &FEATURES.get_or_init(make).1
}

/// An empty work folder with the features in it.
fn work() -> tempfile::TempDir {
    let work = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(features(), work.path().join("features")).unwrap();
    work
}

fn training(work: &Path, scale: &str) -> Command {
    let work = work.to_str().unwrap();
    fastglow(&["train", "run", work, "--stage", STAGE, "--scale", scale, "--checkpoint-every", "3"])
}

fn succeeds(output: Output) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !message.contains("error"), "{message}");
}

/// Ends with code 1, an error and a hint.
fn fails(output: Output) -> String {
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("error: ") && message.contains("\n\nhint: "), "{message}");
    message
}

/// Waits for the first checkpoint, then ends the process by SIGKILL.
fn kill_after_first_checkpoint(mut child: Child, folder: &Path) {
    let started = Instant::now();
    while !folder.join("last.safetensors").exists() {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("ended by itself before its first checkpoint: {status}");
        }
        assert!(started.elapsed() < Duration::from_secs(300), "no checkpoint in five minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was killed, it did not end");
}

#[test]
fn a_killed_process_goes_on_to_the_same_end() {
    let (straight, killed) = (work(), work());
    succeeds(training(straight.path(), "0.01").output().unwrap());
    let folder = killed.path().join(STAGE);
    kill_after_first_checkpoint(training(killed.path(), "0.01").spawn().unwrap(), &folder);
    let (_, progress) = checkpoint::load(&folder.join("last.safetensors")).unwrap();
    assert!((3..STEPS).contains(&progress.step), "killed on the way: {}", progress.step);

    succeeds(training(killed.path(), "0.01").output().unwrap());
    let wanted = straight.path().join(STAGE);
    assert_eq!(timeless_log(&folder), timeless_log(&wanted));
    assert_eq!(timeless_log(&folder).last().unwrap().step, STEPS);
    for name in ["last.safetensors", "best.safetensors"] {
        let state = |folder: &Path| bits(checkpoint::load(&folder.join(name)).unwrap().0.iter());
        assert!(state(&folder) == state(&wanted), "{name} differs");
    }
}

#[test]
fn a_study_says_at_once_what_it_needs() {
    let work = work();
    let message = fails(fastglow(&["train", "study", work.path().to_str().unwrap()]).output().unwrap());
    assert!(
        message.contains("`acoustic` has not been trained") && message.contains("--stage acoustic"),
        "{message}"
    );
    assert!(!work.path().join("study").exists());
}

#[test]
fn pronunciation_files_are_made_and_a_bad_dictionary_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let make = |what: &str, dictionary: &str, output: &str, more: &[&str]| {
        std::fs::write(path("words.dict"), dictionary).unwrap();
        let arguments = ["train", what, &path("words.dict"), "-o", &path(output)];
        fastglow(&[&arguments, more].concat()).output().unwrap()
    };
    // Every word of two syllables over three consonants and two vowels.
    let syllables = ["ba B AA", "bi B IH", "da D AA", "di D IH", "ka K AA", "ki K IH"]
        .map(|s| s.split_once(' ').unwrap());
    let mut words = String::new();
    for (a, p) in syllables {
        for (b, q) in syllables {
            words += &format!("{a}{b} {p}1 {q}0\n");
        }
    }
    succeeds(make("lexicon", &words, "a.lex", &[]));
    succeeds(make("lexicon", &words, "b.lex", &[]));
    let (a, b) = (std::fs::read(path("a.lex")).unwrap(), std::fs::read(path("b.lex")).unwrap());
    assert!(a == b && a.len() > 500, "{} bytes", a.len());
    let pronounced = fastglow::phoneme::Lexicon::from_bytes(&a).unwrap().get("baki").unwrap();
    assert_eq!(pronounced.iter().map(ToString::to_string).collect::<Vec<_>>(), ["B", "AA1", "K", "IH0"]);

    let output = make("letters", &words, "a.lts", &["--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let held_out =
        words.lines().filter(|line| fastglow::phoneme::is_held_out(line.split(' ').next().unwrap()));
    assert_eq!(report["words"], held_out.count());
    assert_eq!((&report["word_error"], &report["phone_error_with_stress"]), (&0.0.into(), &0.0.into()));
    let line = make("letters", &words, "a.lts", &[]);
    assert!(String::from_utf8_lossy(&line.stdout).contains("held-out words: 0.00 % of words wrong"));

    let bad = format!("{words}baker B EY1 K QQ\n");
    for what in ["lexicon", "letters"] {
        let message = fails(make(what, &bad, "bad", &[]));
        assert!(message.contains("words.dict: dictionary line 37") && message.contains("QQ"), "{message}");
        assert!(fails(make(what, "", "bad", &[])).contains("got none"));
    }
    assert!(!Path::new(&path("bad")).exists());
}

#[test]
fn a_full_disk_and_other_settings_end_with_advice_and_keep_the_checkpoint() {
    let work = work();
    let path = work.path().join(STAGE).join("last.safetensors");
    kill_after_first_checkpoint(training(work.path(), "0.01").spawn().unwrap(), path.parent().unwrap());
    let before = std::fs::read(&path).unwrap();

    let message = fails(training(work.path(), "0.02").output().unwrap());
    assert!(message.contains("last.safetensors") && message.contains("another configuration"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    // A limit of 200 blocks of 512 bytes on files stands for a disk that has no room for a checkpoint.
    let script = format!(
        "ulimit -f 200; trap '' XFSZ; exec '{}' train run '{}' --stage {STAGE} --scale 0.01 --checkpoint-every 3",
        env!("CARGO_BIN_EXE_fastglow"),
        work.path().display()
    );
    let message = fails(Command::new("sh").args(["-c", &script]).output().unwrap());
    assert!(message.contains("safetensors: ") && message.contains("has room"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    succeeds(training(work.path(), "0.01").output().unwrap());
}
