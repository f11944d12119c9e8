//! The output module of speech-dispatcher: scripted conversations over pipes, random lines, and the real thing.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use fastglow::audio::to_pcm16;
use fastglow::daemon::speechd::{self, Limits};
use fastglow::engine::{SpeakConfig, Synthesizer};
use fastglow::voice::Source;

use super::{goldens, tiny_voice};

const RATE_HZ: u32 = 22_050;

/// A folder with the tiny voice alone, and the configuration that names it.
fn configured() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(tiny_voice::file(), folder.path().join("tiny.gguf")).unwrap();
    let config = format!("Voice \"tiny\"\nVoiceFolder \"{}\"\n", folder.path().display());
    (folder, config)
}

/// speech-dispatcher's end of the pipes.
struct Server {
    commands: Option<PipeWriter>,
    replies: BufReader<PipeReader>,
    module: JoinHandle<std::io::Result<()>>,
    _folder: tempfile::TempDir,
}

/// What the module says.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Line(String),
    Sound(Vec<i16>),
}

impl Server {
    fn start() -> Self {
        let (folder, config) = configured();
        Self::start_with(folder, config, Limits::default())
    }

    fn start_with(folder: tempfile::TempDir, config: String, limits: Limits) -> Self {
        let (input, commands) = std::io::pipe().unwrap();
        let (replies, output) = std::io::pipe().unwrap();
        let module = std::thread::spawn(move || speechd::run(&config, BufReader::new(input), output, limits));
        Self { commands: Some(commands), replies: BufReader::new(replies), module, _folder: folder }
    }

    fn send(&mut self, text: &str) {
        self.commands.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.replies.read_until(b'\n', &mut line).unwrap();
        assert_eq!(line.pop(), Some(b'\n'), "ended early");
        String::from_utf8(line).unwrap()
    }

    fn expect(&mut self, command: &str, replies: &[&str]) {
        self.send(command);
        for reply in replies {
            assert_eq!(self.line(), *reply, "{command:?}");
        }
    }

    fn init(&mut self) {
        self.send("INIT\n");
        assert!(self.line().starts_with("299-fastglow"));
        assert_eq!(self.line(), "299 OK LOADED SUCCESSFULLY");
        let audio = ["207 OK RECEIVING AUDIO SETTINGS", "203 OK AUDIO INITIALIZED"];
        self.expect("AUDIO\naudio_output_method=server\n.\n", &audio);
    }

    fn begin(&mut self, kind: &str, text: &str) {
        let replies = ["202 OK RECEIVING MESSAGE", "200 OK SPEAKING", "701 BEGIN"];
        self.expect(&format!("{kind}\n{text}\n.\n"), &replies);
    }

    /// The next event: marks with their names, sound as samples.
    fn event(&mut self) -> Said {
        let mut bytes = Vec::new();
        self.replies.read_until(b'\n', &mut bytes).unwrap();
        bytes.pop().expect("ended early");
        if let Some(name) = bytes.strip_prefix(b"700-") {
            assert_eq!(self.line(), "700 INDEX MARK");
            return Said::Line(format!("mark {}", String::from_utf8_lossy(name)));
        }
        if !bytes.starts_with(b"705-") {
            return Said::Line(String::from_utf8(bytes).unwrap());
        }
        assert_eq!(bytes, b"705-bits=16");
        assert_eq!(self.line(), "705-num_channels=1");
        assert_eq!(self.line(), format!("705-sample_rate={RATE_HZ}"));
        let count: usize = self.line().strip_prefix("705-num_samples=").unwrap().parse().unwrap();
        assert_eq!(self.line(), "705-big_endian=0");
        let mut block = Vec::new();
        self.replies.read_until(b'\n', &mut block).unwrap();
        block.pop();
        let mut escaped = block.strip_prefix(b"705-AUDIO\0").unwrap().iter();
        let mut sound = Vec::new();
        while let Some(&byte) = escaped.next() {
            sound.push(if byte == 0x7d { escaped.next().unwrap() ^ 0x20 } else { byte });
        }
        assert_eq!(self.line(), "705 AUDIO");
        assert_eq!(sound.len(), count * 2);
        let (samples, _) = sound.as_chunks();
        Said::Sound(samples.iter().map(|&bytes| i16::from_le_bytes(bytes)).collect())
    }

    /// All events up to this one, neighbouring blocks of sound joined.
    fn until(&mut self, last: &str) -> Vec<Said> {
        let mut said: Vec<Said> = Vec::new();
        loop {
            match (self.event(), said.last_mut()) {
                (Said::Sound(more), Some(Said::Sound(sound))) => sound.extend(more),
                (event, _) => said.push(event),
            }
            if said.last() == Some(&Said::Line(last.into())) {
                return said;
            }
        }
    }

    fn quit(mut self) {
        self.expect("QUIT\n", &["210 OK QUIT"]);
        self.module.join().unwrap().unwrap();
    }
}

fn expected(text: &str, config: SpeakConfig) -> Vec<i16> {
    let synthesizer = Synthesizer::load(&Source::File(tiny_voice::file())).unwrap();
    synthesizer.speak(text, config).unwrap().into_iter().map(to_pcm16).collect()
}

fn line(text: &str) -> Said {
    Said::Line(text.into())
}

#[test]
fn a_message_is_spoken_with_its_marks_between_its_words() {
    let mut server = Server::start();
    server.init();
    server.begin(
        "SPEAK",
        "<speak>One &amp; two.<mark name=\"__spd_0\"/> Three.<mark name=\"__spd_1\"/></speak>",
    );
    let said = server.until("702 END");
    let [Said::Sound(before), mark, Said::Sound(after), last, end] = &said[..] else {
        panic!("{}", said.len())
    };
    assert_eq!([mark, last, end], [&line("mark __spd_0"), &line("mark __spd_1"), &line("702 END")]);
    let whole = [before.as_slice(), after].concat();
    assert!(whole == expected("One & two. Three.", SpeakConfig::default()));
    let synthesizer = Synthesizer::load(&Source::File(tiny_voice::file())).unwrap();
    let mut start = None;
    let mut utterance = synthesizer.utterance(SpeakConfig::default()).unwrap();
    let mut listener = |event: fastglow::engine::Event<'_>| {
        if let fastglow::engine::Event::Word(word) = event
            && word.spoken == "three"
        {
            start = Some(word.samples.start);
        }
        std::ops::ControlFlow::Continue(())
    };
    utterance.push("One & two. Three.", &mut listener).unwrap();
    utterance.finish(&mut listener).unwrap();
    assert_eq!(Some(before.len() as u64), start, "the mark stands at the start of `three`");
    // Nothing that sounds: marks and the end are told all the same.
    server.begin("SPEAK", "<speak>...<mark name=\"x\"/></speak>");
    assert_eq!(server.until("702 END"), [line("mark x"), line("702 END")]);
    server.quit();
}

#[test]
fn settings_characters_and_keys_are_obeyed() {
    let mut server = Server::start();
    server.init();
    let received = ["203 OK RECEIVING SETTINGS", "203 OK SETTINGS RECEIVED"];
    server.expect("SET\nrate=100\npitch=-50\nvolume=100\nlanguage=de\nsynthesis_voice=NULL\n.\n", &received);
    let fast = || SpeakConfig { rate: 2.0, pitch_semitones: -6.0, ..SpeakConfig::default() };
    for (kind, data, text) in [
        ("CHAR", "a", "A."),
        ("CHAR", "space", "space"),
        ("KEY", "control_x", "control X."),
        ("SOUND_ICON", "new-message", "new message"),
        // A doubled dot, and lines.
        ("SPEAK", "<speak>Yes.\n..No.</speak>", "Yes.\n.No."),
    ] {
        server.begin(kind, data);
        let said = server.until("702 END");
        assert!(said[0] == Said::Sound(expected(text, fast())), "{kind} {data}");
    }
    server.expect("SET\nspelling_mode=on\n.\n", &received);
    server.begin("SPEAK", "<speak>ab</speak>");
    assert!(server.until("702 END")[0] == Said::Sound(expected("A. B. ", fast())));
    server.quit();
}

#[test]
fn stopping_and_pausing_end_a_message_early() {
    let mut server = Server::start();
    server.init();
    let sentences: String =
        (0..200).map(|n| format!("Sentence number {n}.<mark name=\"__spd_{n}\"/> ")).collect();
    server.begin("SPEAK", &format!("<speak>{sentences}</speak>"));
    assert!(matches!(server.event(), Said::Sound(_)));
    server.expect("STOP\n", &[]);
    let said = server.until("703 STOP");
    assert!(!said.contains(&line("mark __spd_199")));
    server.begin("SPEAK", &format!("<speak>{sentences}</speak>"));
    server.send("PAUSE\n");
    let said = server.until("704 PAUSE");
    let Said::Line(mark) = &said[said.len() - 2] else { panic!("a mark is where it can go on") };
    assert!(mark.starts_with("mark __spd_"), "{mark}");
    // Without anything to stop they say nothing.
    server.expect("STOP\nPAUSE\nBOGUS\n", &["300 ERR UNKNOWN COMMAND"]);
    // The end of the input ends it, in the middle of speech too.
    server.begin("SPEAK", &sentences);
    server.commands = None;
    std::io::copy(&mut server.replies, &mut std::io::sink()).unwrap();
    server.module.join().unwrap().unwrap();
}

#[test]
fn what_cannot_be_done_is_refused() {
    let (folder, config) = configured();
    let mut server = Server::start_with(folder, config, Limits { line_bytes: 200, message_bytes: 300 });
    let receiving = "202 OK RECEIVING MESSAGE";
    server.expect("SPEAK\nToo early.\n.\n", &[receiving, "301 ERROR CANT SPEAK"]);
    server.expect("LIST VOICES\n", &["304 CANT LIST VOICES"]);
    server.init();
    server.expect("LIST VOICES\n", &["200-tiny\ten-US\tnone"]);
    // The bundled voice is there too, if this build has it.
    while server.line() != "200 OK VOICE LIST SENT" {}
    server.expect("LIST VOICES de\n", &["200 OK VOICE LIST SENT"]);
    server.expect("CHAR\na\nb\n.\n", &[receiving, "305 DATA MORE THAN ONE LINE"]);
    server.expect(&format!("SPEAK\n{}\n.\n", "a ".repeat(101)), &[receiving, "301 ERROR CANT SPEAK"]);
    server.expect(&format!("SPEAK\n{}.\n", "some words\n".repeat(30)), &[receiving, "301 ERROR CANT SPEAK"]);
    let settings = "203 OK RECEIVING SETTINGS";
    server.expect("SET\nrate\n.\n", &[settings, "302 ERROR BAD SYNTAX"]);
    server.expect("SET\npitch=7\nrate=1000\n.\n", &[settings, "303 ERROR INVALID PARAMETER OR VALUE"]);
    server
        .expect("LOGLEVEL\nlog_level=3\n.\n", &["207 OK RECEIVING LOGLEVEL SETTINGS", "203 OK LOGLEVEL SET"]);
    server.expect("DEBUG ON /nonexistent/x\n", &["303 CANT OPEN CUSTOM DEBUG FILE"]);
    let audio = "207 OK RECEIVING AUDIO SETTINGS";
    server.expect("AUDIO\naudio_output_method=alsa\n.\n", &[audio]);
    assert!(server.line().starts_with("300-"));
    assert_eq!(server.line(), "300 MODULE ERROR");
    for command in ["", "speak", "LIST", "LIST CARS", "DEBUG", "\u{7}"] {
        server.expect(&format!("{command}\n"), &["300 ERR UNKNOWN COMMAND"]);
    }
    server.quit();
    let (folder, _) = configured();
    for config in ["Voice nobody\n", "Volume 3\n"] {
        let folder = tempfile::tempdir_in(folder.path()).unwrap();
        let mut server = Server::start_with(folder, config.into(), Limits::default());
        server.send("INIT\n");
        assert!(server.line().starts_with("399-"));
        assert_eq!(server.line(), "399 ERR CANT INIT MODULE");
        server.quit();
    }
}

#[test]
fn debugging_writes_what_comes_in() {
    let mut server = Server::start();
    let path = server._folder.path().join("debug.log");
    server.expect(&format!("DEBUG ON {}\n", path.display()), &["200 OK DEBUGGING ON"]);
    server
        .expect("LOGLEVEL\nlog_level=3\n.\n", &["207 OK RECEIVING LOGLEVEL SETTINGS", "203 OK LOGLEVEL SET"]);
    server.expect("DEBUG OFF\n", &["200 OK DEBUGGING OFF"]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), "LOGLEVEL\nlog_level=3\n.\nDEBUG OFF\n");
    server.quit();
}

/// Everything that was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn random_lines_are_answered_and_nothing_else_happens() {
    const WORDS: &[&str] = &[
        "INIT",
        "AUDIO",
        "LOGLEVEL",
        "SET",
        "SPEAK",
        "CHAR",
        "KEY",
        "SOUND_ICON",
        "STOP",
        "PAUSE",
        "LIST VOICES",
        "DEBUG OFF",
        ".",
        "..",
        "<speak>Yes.",
        "<mark name=\"x\"/>",
        "rate=100",
        "log_level=9",
        "audio_output_method=server",
        "\u{e9}&#0;<",
        "",
        "=",
        " ",
    ];
    let (_folder, config) = configured();
    // xorshift
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for round in 0..40 {
        let mut input = if round % 2 == 0 { b"INIT\n".to_vec() } else { Vec::new() };
        for _ in 0..random() % 60 {
            match random() % 4 {
                0 => input.extend((0..random() % 40).map(|_| random() as u8)),
                _ => input.extend_from_slice(WORDS[random() % WORDS.len()].as_bytes()),
            }
            if random() % 8 > 0 {
                input.push(b'\n');
            }
        }
        let written = Written::default();
        speechd::run(&config, &*input, written.clone(), Limits::default()).unwrap();
        let written = written.0.lock().unwrap();
        for line in written.split_inclusive(|&byte| byte == b'\n') {
            let code: &[u8] = &line[..line.len().min(3)];
            // All but the samples.
            assert!(
                line.ends_with(b"\n") && code.iter().all(u8::is_ascii_digit),
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }
}

#[test]
fn the_program_is_a_module() {
    let (folder, config) = configured();
    let path = folder.path().join("fastglow.conf");
    std::fs::write(&path, config).unwrap();
    let run = |path: &Path| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fastglow"))
            .arg("speechd-module")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"INIT\nQUIT\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&path).ends_with(": voice `tiny`\n299 OK LOADED SUCCESSFULLY\n210 OK QUIT\n"));
    std::fs::write(&path, "Vioce x\n").unwrap();
    assert!(run(&path).contains("399-line 1: expected `Voice` or `VoiceFolder`, got `Vioce x`\n"));
}
/// speech-dispatcher with nothing but our module, and a sound card that is a file.
struct Dispatcher {
    process: std::process::Child,
    folder: tempfile::TempDir,
}

impl Dispatcher {
    /// `None` where it is not installed.
    fn start() -> Option<Self> {
        let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !runs("speech-dispatcher") || !runs("spd-say") {
            goldens::not_run(
                "no speech-dispatcher; `apt-get install speech-dispatcher speech-dispatcher-audio-plugins`",
            );
            return None;
        }
        let (folder, config) = configured();
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        let here = folder.path().display();
        std::fs::create_dir(folder.path().join("modules")).unwrap();
        write("modules/fastglow.conf", config);
        write(
            "sd_fastglow",
            format!("#!/bin/sh\nexec '{}' speechd-module \"$@\"\n", env!("CARGO_BIN_EXE_fastglow")),
        );
        Command::new("chmod").arg("+x").arg(folder.path().join("sd_fastglow")).status().unwrap();
        write(
            "speechd.conf",
            format!(
                "LogLevel 4\nLogDir \"{here}\"\nAudioOutputMethod \"alsa\"\nAudioALSADevice \"default\"\n\
                 AddModule \"fastglow\" \"{here}/sd_fastglow\" \"fastglow.conf\"\nDefaultModule \"fastglow\"\n"
            ),
        );
        write(
            "asound.conf",
            format!(
                "pcm.nothing {{ type null }}\nctl.!default {{ type null }}\n\
                 pcm.!default {{ type file slave.pcm nothing file \"{here}/heard.raw\" format raw }}\n"
            ),
        );
        let process = Command::new("speech-dispatcher")
            .args(["-s", "-c", "unix_socket", "-t", "0", "-C"])
            .arg(folder.path())
            .arg("-L")
            .arg(folder.path())
            .arg("-S")
            .arg(folder.path().join("socket"))
            .arg("-P")
            .arg(folder.path().join("pid"))
            .env("ALSA_CONFIG_PATH", folder.path().join("asound.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let dispatcher = Self { process, folder };
        for _ in 0..1000 {
            if dispatcher.folder.path().join("socket").exists() {
                return Some(dispatcher);
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("speech-dispatcher did not start:\n{}", dispatcher.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("speech-dispatcher.log")).unwrap_or_default()
    }

    fn say(&self, arguments: &[&str]) -> String {
        let address = format!("unix_socket:{}", self.folder.path().join("socket").display());
        let output = Command::new("spd-say")
            .args(["-o", "fastglow", "-l", "en"])
            .args(arguments)
            .env("SPEECHD_ADDRESS", address)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    fn heard(&self) -> Vec<i16> {
        let bytes = std::fs::read(self.folder.path().join("heard.raw")).unwrap_or_default();
        let (samples, _) = bytes.as_chunks();
        samples.iter().map(|&bytes| i16::from_le_bytes(bytes)).collect()
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_real_speech_dispatcher_plays_lists_and_stops() {
    let Some(dispatcher) = Dispatcher::start() else { return };
    assert!(dispatcher.say(&["-L"]).contains("tiny"), "{}", dispatcher.log());
    dispatcher.say(&["-w", "One, two. Three."]);
    let expected = expected("One, two. Three.", SpeakConfig::default());
    let heard = dispatcher.heard();
    // The server plays at a volume of its own: the shape is ours.
    let product =
        |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let likeness =
        product(&heard, &expected) / (product(&heard, &heard) * product(&expected, &expected)).sqrt();
    let (count, made) = (heard.len(), expected.len());
    assert!(count == made && likeness > 0.99, "{count} of {made} samples, likeness {likeness}");
    // Stopped in the middle, it speaks the next message; what is waited for comes to its end.
    dispatcher.say(&["So many words are not heard to their end. ".repeat(500).trim_end()]);
    dispatcher.say(&["-S"]);
    dispatcher.say(&["-w", "-r", "100", "-p", "50", "-i", "-20", "Yes."]);
    assert!(dispatcher.heard().len() > heard.len());
}
