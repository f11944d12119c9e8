//! The program from outside: what it writes where, how it ends, and that nothing makes it panic.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::tiny_voice;

/// The program with the tiny voice and no sound card.
fn fastglow(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastglow"));
    command.args(arguments).env("ALSA_CONFIG_PATH", "/dev/null").stdin(Stdio::null());
    command
}

fn speak(arguments: &[&str]) -> Command {
    let mut command = fastglow(&["speak", "--voice", tiny_voice::file().to_str().unwrap()]);
    command.args(arguments);
    command
}

fn with_input(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ended by itself, not by a signal")
}

fn stderr(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("messages are UTF-8");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// Ends with this code, says `error:`, and writes nothing to standard output.
fn fails(command: &mut Command, expected: i32) -> String {
    let output = command.output().unwrap();
    let text = stderr(&output);
    assert_eq!(code(&output), expected, "{text}");
    assert!(output.stdout.is_empty());
    assert!(text.contains("error: "), "{text}");
    text
}

fn samples_of(path: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (22_050, 1));
    reader.samples::<i16>().collect::<Result<_, _>>().unwrap()
}

#[test]
fn speaks_into_a_file_and_the_same_seed_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let say = |name: &str, seed: &str| {
        let path = folder.path().join(name);
        let output = speak(&["-o", path.to_str().unwrap(), "--seed", seed, "Hello there."]).output().unwrap();
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
        assert!(output.stdout.is_empty());
        samples_of(&path)
    };
    let first = say("a.wav", "1");
    assert!(first.iter().any(|s| s.unsigned_abs() > 100), "it is not silent");
    assert_eq!(first, say("b.wav", "1"));
    assert_ne!(first, say("c.wav", "2"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 3, "no other file is left");
}

#[test]
fn standard_output_carries_wav_or_raw_samples_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    speak(&["-o", path.to_str().unwrap(), "Hello there."]).output().unwrap();
    let expected: Vec<u8> = samples_of(&path).iter().flat_map(|s| s.to_le_bytes()).collect();
    let raw = speak(&["-o", "-", "--raw", "Hello there."]).output().unwrap();
    assert_eq!((code(&raw), raw.stdout == expected), (0, true));
    let wav = speak(&["-o", "-", "--stats", "json", "Hello there."]).output().unwrap();
    assert_eq!(&wav.stdout[..4], b"RIFF");
    assert!(wav.stdout[44..] == expected, "the same samples after the header");
}

#[test]
fn standard_input_is_spoken_like_an_argument() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.wav"), folder.path().join("b.wav"));
    assert!(speak(&["-o", a.to_str().unwrap(), "Hello there."]).status().unwrap().success());
    let output = with_input(speak(&["-o", b.to_str().unwrap()]), b"Hello there.\n");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert_eq!(samples_of(&a), samples_of(&b));
}

#[test]
fn sound_starts_before_the_input_ends() {
    let mut child = speak(&["-o", "-", "--raw"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"The first line.\n").unwrap();
    // Comes only if the program speaks while its input is open.
    let mut first = [0; 1000];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    input.write_all(b"The second line.\n").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(output.stdout.len() > 1000);
}

/// As Ctrl-C in a terminal.
fn interrupt(child: &std::process::Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn an_interrupt_ends_the_speech_although_more_text_may_come() {
    let mut child = speak(&["-o", "-", "--raw"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"The first line.\n").unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 1000]).unwrap();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (130, ""));
    drop(input);
}

#[test]
fn an_interrupt_leaves_the_old_file_and_no_half_of_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let wav = folder.path().join("a.wav");
    std::fs::write(&wav, "what was there").unwrap();
    let mut child =
        speak(&["-o", wav.to_str().unwrap()]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"The first line.\n").unwrap();
    let names = || std::fs::read_dir(folder.path()).unwrap().count();
    while names() < 2 {
        // The new file has not been begun.
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (130, ""));
    assert_eq!((std::fs::read_to_string(&wav).unwrap().as_str(), names()), ("what was there", 1));
    drop(input);
}

#[test]
fn nothing_to_say_is_said_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    for text in ["", "   ", ".", "?!...", "\u{1fa91}\u{1fa91}", "\u{4f60}\u{597d}", "\u{1}\u{2}\u{1b}"] {
        let message = fails(&mut speak(&["-o", path.to_str().unwrap(), text]), 5);
        assert!(message.contains("hint: "), "{message}");
        let output = with_input(speak(&["-o", path.to_str().unwrap()]), text.as_bytes());
        assert_eq!(code(&output), 5, "{text:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: "), "{text:?}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn what_cannot_be_spoken_is_reported_and_the_rest_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let output =
        with_input(speak(&["-o", path.to_str().unwrap()]), b"Good \xff\xfe morning \xf0\x9f\xaa\x91.");
    let text = stderr(&output);
    assert_eq!(code(&output), 0, "{text}");
    assert!(text.contains("warning: ") && text.contains("UTF-8") && text.contains("emoji"), "{text}");
    assert!(!samples_of(&path).is_empty());
}

#[test]
fn ssml_is_spoken_and_what_is_wrong_with_it_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, marked) = (folder.path().join("a.wav"), folder.path().join("b.wav"));
    let spoken = |path: &Path, arguments: &[&str], input: &[u8]| {
        let output = with_input(speak(&[&["-o", path.to_str().unwrap()], arguments].concat()), input);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stderr(&output)
    };
    spoken(&plain, &["One two."], b"");
    let document = b"<speak>One <break time='1s'/> <lang xml:lang='fr'>two</lang>.</speak>";
    let told = spoken(&marked, &["--ssml"], document);
    assert!(told.contains("<lang xml:lang='fr'>"), "{told}");
    assert!(samples_of(&marked).len() > samples_of(&plain).len() + 15_000);
    let told = fails(speak(&["--ssml", "<speak>\n1 < 2</speak>"]).stdin(Stdio::null()), 2);
    assert!(told.contains("line 2, column 3") && told.contains("&lt;"), "{told}");
}

#[test]
fn ten_thousand_letters_without_a_space_are_cut_short_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let text = "abcdefghij".repeat(1000);
    let output = speak(&["-o", path.to_str().unwrap(), "--stats", "json", &text]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("warning: not spoken: "), "{}", stderr(&output));
    let stats: serde_json::Value = serde_json::from_str(stderr(&output).lines().last().unwrap()).unwrap();
    assert!(stats["audio_s"].as_f64().unwrap() > 0.0, "{stats}");
    if let Some(peak_rss_kb) = stats["peak_rss_kb"].as_u64() {
        assert!(peak_rss_kb < 150_000, "{stats}");
    }
}

#[test]
fn figures_are_one_json_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let output = speak(&["-o", path.to_str().unwrap(), "--stats", "json", "One. Two."]).output().unwrap();
    let stats: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
    let keys = ["audio_s", "chunks", "compute", "first_audio_ms", "peak_rss_kb", "rtf", "synth_s", "voice"];
    let object = stats.as_object().unwrap();
    assert!(keys.iter().all(|key| object.contains_key(*key)) && object.len() == keys.len(), "{stats}");
    assert_eq!((&stats["chunks"], &stats["voice"]), (&2.into(), &"tiny".into()));
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    assert_eq!(stats["compute"], "cpu");
    let audio_s = samples_of(&path).len() as f64 / 22_050.0;
    assert!((stats["audio_s"].as_f64().unwrap() - audio_s).abs() < 1e-9, "{stats}");
}

#[test]
fn the_picture_is_a_png() {
    let folder = tempfile::tempdir().unwrap();
    let (wav, plot) = (folder.path().join("a.wav"), folder.path().join("a.png"));
    let arguments = ["-o", wav.to_str().unwrap(), "--plot", plot.to_str().unwrap(), "Hello there. Again."];
    let output = speak(&arguments).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let bytes = std::fs::read(plot).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() > 5000, "{} bytes", bytes.len());
}

#[test]
fn wrong_arguments_are_refused_with_their_range() {
    for (arguments, expected) in [
        (&["--rate", "3", "hi"][..], "0.5 to 2"),
        (&["--rate", "-1", "hi"], "0.5 to 2"),
        (&["--rate", "nan", "hi"], "0.5 to 2"),
        (&["--pitch", "40", "hi"], "-12 to 12"),
        (&["--volume", "loud", "hi"], "-60 to 20"),
        (&["--seed", "-1", "hi"], "--seed"),
        (&["--raw", "hi"], "--output"),
        (&["--stats", "xml", "hi"], "json"),
    ] {
        let message = fails(&mut speak(arguments), 2);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert!(fails(&mut fastglow(&["sing"]), 2).contains("sing"));
    let voice = tiny_voice::file();
    let low = ["speak", "--voice", voice.to_str().unwrap(), "--pitch", "-3", "-o", "-", "Hi."];
    assert_eq!(code(&fastglow(&low).output().unwrap()), 0, "a negative number is a value");
}

#[test]
fn a_missing_or_damaged_voice_has_its_own_code() {
    let message = fails(&mut fastglow(&["speak", "--voice", "nobody", "-o", "/dev/null", "hi"]), 3);
    assert!(message.contains("nobody") && message.contains("\n\nhint: "), "{message}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.gguf");
    let bytes = std::fs::read(tiny_voice::file()).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let message =
        fails(&mut fastglow(&["speak", "--voice", path.to_str().unwrap(), "-o", "/dev/null", "hi"]), 3);
    assert!(message.contains("cut.gguf") && message.contains("truncated"), "{message}");
    fails(&mut fastglow(&["voices", "verify", path.to_str().unwrap()]), 3);
}

#[cfg(all(target_os = "linux", feature = "device"))]
#[test]
fn without_a_sound_card_it_says_what_to_do() {
    let message = fails(&mut speak(&["hello"]), 4);
    assert!(message.contains("\n\nhint: ") && message.contains("-o speech.wav"), "{message}");
}

#[cfg(all(target_os = "linux", feature = "device"))]
#[test]
fn a_sound_card_that_is_not_there_is_named_and_the_list_says_so() {
    let message = fails(&mut speak(&["--device", "no-such-card", "hello"]), 4);
    assert!(message.contains("no-such-card") && message.contains("fastglow devices"), "{message}");
    let output = fastglow(&["devices", "--json"]).output().unwrap();
    assert_eq!(code(&output), 0);
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let is_empty = listed.as_array().unwrap().is_empty();
    assert_eq!(String::from_utf8_lossy(&output.stderr).contains("hint: "), is_empty);
}

#[test]
fn the_null_sink_speaks_to_nobody() {
    let output = speak(&["--sink", "null", "--stats", "json", "Hello."]).output().unwrap();
    assert_eq!((code(&output), output.stdout.len()), (0, 0));
    let message = fails(&mut speak(&["--sink", "loudspeaker", "Hello."]), 4);
    assert!(message.contains("null") && message.contains("wav"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = speak(&["-o", "-", &"Hello there. ".repeat(200)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    let message = fails(&mut speak(&["-o", "/dev/full", "hello"]), 1);
    assert!(message.contains("/dev/full: cannot write") && message.contains("hint: "), "{message}");
    // A limit of 8 blocks of 512 bytes on files stands for a disk that fills up on the way.
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_fastglow");
    let voice = tiny_voice::file();
    let script = format!(
        "ulimit -f 8; trap '' XFSZ; exec '{program}' speak --voice '{}' -o a.wav 'hello there everybody'",
        voice.display()
    );
    let message = fails(Command::new("sh").args(["-c", &script]).current_dir(folder.path()), 1);
    assert!(message.contains("a.wav: cannot write"), "{message}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_on_a_full_disk_is_an_error() {
    for arguments in [&["-o", "-", "hello"][..], &["-o", "-", "--raw", "hello"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = speak(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let text = stderr(&output);
        assert_eq!(code(&output), 1, "{text}");
        assert!(text.contains("error: ") && text.contains("hint: "), "{text}");
    }
}

/// A filesystem of 64 KiB in a namespace of its own, where the system lets ordinary users make one.
#[cfg(target_os = "linux")]
#[test]
fn a_filesystem_that_fills_up_on_the_way_keeps_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |script: &str| {
        let mount = "mount -t tmpfs -o size=64k none . && cd \"$PWD\"";
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &format!("{mount} && {script}")]);
        command.current_dir(folder.path()).output()
    };
    if !inside("true").is_ok_and(|output| output.status.success()) {
        return super::goldens::not_run("this system gives ordinary users no filesystems of their own");
    }
    let script = format!(
        "echo old > a.wav; '{}' speak --voice '{}' -o a.wav '{}'; echo \"code $?\"; ls -A; cat a.wav",
        env!("CARGO_BIN_EXE_fastglow"),
        tiny_voice::file().display(),
        "hello there everybody ".repeat(10)
    );
    let output = inside(&script).unwrap();
    let text = stderr(&output);
    assert!(text.contains("error: a.wav: cannot write") && text.contains("hint: "), "{text}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "code 1\na.wav\nold\n");
}

#[test]
fn reading_is_measured_alone() {
    let output = fastglow(&["bench", "front", "--rounds", "1", "--json"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figures["words"].as_u64().unwrap() > 100, "{figures}");
    assert!(figures["median_us_per_word"].as_f64().unwrap() <= figures["p99_us_per_word"].as_f64().unwrap());
    assert_eq!(figures["growing"][3]["text_bytes"], 1_000_000);
}

#[test]
fn voices_are_listed_shown_and_verified() {
    let file = tiny_voice::file();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&file, folder.path().join("tiny.gguf")).unwrap();
    std::fs::write(folder.path().join("broken.gguf"), b"GGUF").unwrap();
    let run = |arguments: &[&str]| {
        let output = fastglow(arguments).env("FASTGLOW_VOICES", folder.path()).output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    let (listed, warnings) = run(&["voices", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"tiny") && !names.contains(&"broken"), "{names:?}");
    assert!(warnings.contains("broken.gguf"), "{warnings}");
    assert!(run(&["voices", "list"]).0.contains("tiny"));
    let shown: serde_json::Value =
        serde_json::from_str(&run(&["voices", "show", "tiny", "--json"]).0).unwrap();
    assert_eq!(shown["meta"]["licence"], "CC0-1.0");
    assert_eq!(shown["weights_sha256"].as_str().unwrap().len(), 64);
    assert!(run(&["voices", "show", "tiny"]).0.contains("22050 Hz"));
    assert!(run(&["voices", "verify", "tiny"]).0.contains("sound"));
}

#[test]
fn the_help_teaches() {
    let output = fastglow(&["--help"]).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.contains("Exit codes:") && text.contains("fastglow speak -o hello.wav"), "{text}");
    for command in ["speak", "voices"] {
        assert_eq!(code(&fastglow(&[command, "--help"]).output().unwrap()), 0);
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_card_that_this_build_does_not_know_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let output = speak(&["--compute", "cuda:0", "-o", path.to_str().unwrap(), "One."]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("error: compute: cuda:0") && told.contains("--features cuda"), "{told}");
    assert!(!path.exists());
}

#[test]
fn speak_writes_time_marks_and_reads_a_lexicon() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("words.tsv"), "robot\tB OW1\n").unwrap();
    let (wav, marks, words) = (path("a.wav"), path("a.json"), path("words.tsv"));
    let output = speak(&["-o", &wav, "--marks", &marks, "--lexicon", &words, "Hi, robot."]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let shown: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&marks).unwrap()).unwrap();
    assert_eq!(shown["words"][1]["text"], "robot");
    let phones: Vec<&str> = shown["phones"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["word"] == 1)
        .map(|p| p["phone"].as_str().unwrap())
        .collect();
    assert_eq!(phones, ["B", "OW1"]);
    assert_eq!(shown["samples"].as_u64().unwrap(), samples_of(Path::new(&wav)).len() as u64);
    let output = speak(&["-o", &wav, "--marks", "a.xyz", "Hi."]).output().unwrap();
    assert_eq!(code(&output), 2);
    std::fs::write(path("words.tsv"), "robot\tB OWW1\n").unwrap();
    let output = speak(&["-o", &wav, "--lexicon", &words, "Hi."]).output().unwrap();
    assert!(code(&output) == 2 && stderr(&output).contains("line 1"), "{}", stderr(&output));
}

#[test]
fn phonemes_shows_each_step() {
    let output = fastglow(&["phonemes", "Dr. Who \u{1fa91} won $5!"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    for step in ["doctor who won five dollars !", "D AA1 K T ER0", "Dr.", "lexicon", "\u{1fa91} (emoji)"] {
        assert!(shown.contains(step), "{step} in {shown}");
    }
}

#[test]
fn phonemes_writes_an_object_for_each_line() {
    let output = with_input(fastglow(&["phonemes", "--json"]), b"It's 5, B!\n\nread \xff me\n");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let lines: Vec<serde_json::Value> =
        output.stdout.split(|&b| b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["input"], "It's 5, B!");
    assert_eq!(lines[0]["normalized"], "it's five , b !");
    assert_eq!(lines[0]["words"][1], serde_json::json!({ "text": "five", "phones": "F AY1 V" }));
    assert_eq!(lines[1]["words"], serde_json::json!([]));
    assert_eq!(lines[2]["input"], "read \u{fffd} me");
}

#[test]
fn phonemes_says_when_there_is_nothing_to_say() {
    assert_eq!(code(&fastglow(&["phonemes", "\u{1fa91}"]).output().unwrap()), 5);
}
