//! `fastglow record` from outside: a folder that adaptation takes, without a microphone.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use fastglow::adapt::{built_in_prompts, check_recordings, find_recordings};

use super::adapt::{buzz, write};

/// Runs `fastglow record` in `folder`, on a machine without a sound card; `lines` are typed.
fn record(folder: &Path, arguments: &[&str], lines: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fastglow"))
        .args(["record", "mine"])
        .args(arguments)
        .current_dir(folder)
        .env("ALSA_CONFIG_PATH", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!text.contains("panicked") && output.stdout.is_empty(), "{text}");
    text
}

#[test]
fn files_for_a_microphone_end_in_a_folder_that_adaptation_takes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let plain = (22_050, 1, 16);
    for seed in 0..6 {
        write(&folder.join(format!("{seed}.wav")), plain, &buzz(22_050, 3.0, seed));
    }
    write(&folder.join("silent.wav"), plain, &vec![0.0; 44_100]);
    let inputs = |names: &[&str]| names.iter().flat_map(|n| ["--input".into(), format!("{n}.wav")]).collect();

    // The second is silent and read again; the third sentence is skipped; the last kept one is read once more.
    let first: Vec<String> = inputs(&["0", "silent", "1", "2", "3"]);
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    let output = record(folder, &first, "\n\n\ns\n\nr\n\nwhat\nq\n");
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("warning: silent") && text.contains("check the microphone"), "{text}");
    assert!(text.contains("3 sentences") && text.contains("2 more is the least"), "{text}");
    assert!(!text.contains("fastglow adapt"), "too few for that: {text}");

    // The same command goes on with the sentences that are missing, until the input ends.
    let second: Vec<String> = inputs(&["4", "5"]);
    let second: Vec<&str> = second.iter().map(String::as_str).collect();
    let output = record(folder, &second, "\n\n");
    let text = said(&output);
    assert!(output.status.success() && text.contains("Next: fastglow adapt mine --name NAME"), "{text}");

    let takes = find_recordings(&folder.join("mine")).unwrap();
    assert!(check_recordings(&takes).all(|check| check.is_ok()));
    let mut texts: Vec<String> = takes.into_iter().filter_map(|take| take.text).collect();
    let mut expected: Vec<String> = built_in_prompts()[..5].to_vec();
    texts.sort();
    expected.sort();
    assert_eq!(texts, expected);
}

#[test]
fn what_cannot_be_recorded_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let fails = |arguments: &[&str], code: i32, message: &str| {
        let output = record(folder, arguments, "\n");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(message) && text.contains("\nhint: "), "{text}");
    };
    fails(&[], 4, "error: microphone: cannot ");
    assert!(!folder.join("mine").exists(), "nothing is made for nothing");
    fails(&["--prompts", "none.txt"], 1, "error: none.txt: ");
    std::fs::write(folder.join("prompts.txt"), "...\n").unwrap();
    fails(&["--prompts", "prompts.txt"], 1, "error: prompts.txt: line 1: has no word");
}
