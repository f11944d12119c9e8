//! The conversation: commands in, replies out.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Write};

use super::config::ModuleConfig;
use super::lines::Lines;
use super::output::Output;
use super::settings::{SettingError, Settings};
use super::speaker::{Message, Speaker};
use super::spelling;
use crate::daemon::ssml::MarkedText;
use crate::daemon::voices::is_same_language;
use crate::daemon::{VoiceCard, Voices};
use crate::engine::Synthesizer;
use crate::{Error, Result};

/// Voices kept in memory: the default one, and the one chosen last.
const MOST_LOADED: usize = 2;
/// From this level on, speech-dispatcher wants to know everything.
const VERBOSE_LOG_LEVEL: u8 = 5;

/// How much is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of a line; what is more is thrown away, and a message that has such a line is refused.
    pub line_bytes: usize,
    /// Of a message; a longer one is refused.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 256 << 10, message_bytes: 1 << 20 }
    }
}

/// Serves speech-dispatcher until it says `QUIT` or closes its end. `config` is the text of the configuration file, which
/// is read when speech-dispatcher says `INIT`, so that it gets to know what is wrong.
///
/// # Errors
/// Input or output fail, or the system gives no thread.
pub fn run(
    config: &str,
    input: impl BufRead,
    output: impl Write + Send + 'static,
    limits: Limits,
) -> io::Result<()> {
    let output = Output::new(output);
    let mut module = Module {
        lines: Lines::new(input, limits.line_bytes),
        limits,
        speaker: Speaker::start(output.clone()).map_err(io::Error::other)?,
        output,
        voices: None,
        settings: Settings::default(),
        debug: None,
        log_level: 0,
    };
    while let Some(line) = module.lines.next_line()? {
        if module.obey(line.text.trim_end(), config)?.is_break() {
            break;
        }
    }
    Ok(())
}

type Flow = std::ops::ControlFlow<()>;

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MessageKind {
    Text,
    Char,
    Key,
    SoundIcon,
}

struct Module<R> {
    lines: Lines<R>,
    limits: Limits,
    output: Output,
    speaker: Speaker,
    /// Once it has been initialised.
    voices: Option<Voices>,
    settings: Settings,
    debug: Option<File>,
    log_level: u8,
}

impl<R: BufRead> Module<R> {
    fn obey(&mut self, command: &str, config: &str) -> io::Result<Flow> {
        self.note(command);
        let mut words = command.split_whitespace();
        let arguments: Vec<&str> = match words.next() {
            Some("LIST" | "DEBUG") => words.collect(),
            _ => Vec::new(),
        };
        match (command.split_whitespace().next().unwrap_or_default(), &*arguments) {
            ("INIT", _) => self.init(config)?,
            ("AUDIO", _) => self.audio()?,
            ("LOGLEVEL", _) => self.set_log_level()?,
            ("SET", _) => self.set()?,
            ("SPEAK", _) => self.speak(MessageKind::Text)?,
            ("CHAR", _) => self.speak(MessageKind::Char)?,
            ("KEY", _) => self.speak(MessageKind::Key)?,
            ("SOUND_ICON", _) => self.speak(MessageKind::SoundIcon)?,
            // Told by an event, if there is anything to stop.
            ("STOP", _) => self.speaker.stop(),
            ("PAUSE", _) => self.speaker.pause(),
            ("LIST", ["VOICES", language @ ..]) => self.list_voices(language.first().copied())?,
            ("DEBUG", ["ON", path]) => self.debug_on(path)?,
            ("DEBUG", ["OFF"]) => {
                self.debug = None;
                self.output.say("200 OK DEBUGGING OFF")?;
            }
            ("QUIT", _) => {
                self.speaker.stop();
                self.output.say("210 OK QUIT")?;
                return Ok(Flow::Break(()));
            }
            _ => self.output.say("300 ERR UNKNOWN COMMAND")?,
        }
        Ok(Flow::Continue(()))
    }

    /// Tells the user who wants to see it what comes in.
    fn note(&mut self, line: &str) {
        if self.log_level >= VERBOSE_LOG_LEVEL {
            tracing::info!(line, "received");
        }
        if let Some(file) = &mut self.debug
            && writeln!(file, "{line}").is_err()
        {
            self.debug = None;
        }
    }

    /// The lines of a block, one after another, until the dot that ends it or the input does.
    fn next_in_block(&mut self) -> io::Result<Option<(String, bool)>> {
        let Some(line) = self.lines.next_line()? else { return Ok(None) };
        self.note(&line.text);
        Ok((line.text != ".").then_some((line.text, line.is_cut)))
    }

    fn init(&mut self, config: &str) -> io::Result<()> {
        let voices = ModuleConfig::parse(config).map_err(|error| error.to_string()).and_then(|config| {
            let voices = Voices::new(config.search_path(), config.voice.clone(), MOST_LOADED);
            // Now, so that the first message need not wait.
            voices.get(None).map_err(|error| error.to_string())?;
            self.output
                .say(&format!(
                    "299-fastglow {}: voice `{}`",
                    env!("CARGO_PKG_VERSION"),
                    one_line(&config.voice)
                ))
                .map(|()| voices)
                .map_err(|error| error.to_string())
        });
        match voices {
            Ok(voices) => {
                self.voices = Some(voices);
                self.output.say("299 OK LOADED SUCCESSFULLY")
            }
            Err(message) => self.output.say(&format!("399-{}\n399 ERR CANT INIT MODULE", one_line(&message))),
        }
    }

    /// Sound goes to speech-dispatcher only. It asks for this first; a module that plays itself would not know when its
    /// turn is.
    fn audio(&mut self) -> io::Result<()> {
        self.output.say("207 OK RECEIVING AUDIO SETTINGS")?;
        let mut is_server = false;
        while let Some((line, _)) = self.next_in_block()? {
            if let Some(method) = line.strip_prefix("audio_output_method=") {
                is_server = method == "server";
            }
        }
        if is_server {
            self.output.say("203 OK AUDIO INITIALIZED")
        } else {
            let reason = "only audio_output_method=server: speech-dispatcher 0.11 or later plays the sound";
            self.output.say(&format!("300-{reason}\n300 MODULE ERROR"))
        }
    }

    fn set_log_level(&mut self) -> io::Result<()> {
        self.output.say("207 OK RECEIVING LOGLEVEL SETTINGS")?;
        let mut level = None;
        while let Some((line, _)) = self.next_in_block()? {
            level = line.strip_prefix("log_level=").and_then(|level| level.parse().ok());
        }
        match level {
            Some(level) => {
                self.log_level = level;
                self.output.say("203 OK LOGLEVEL SET")
            }
            None => self.output.say("303 ERROR INVALID PARAMETER OR VALUE"),
        }
    }

    /// All or nothing.
    fn set(&mut self) -> io::Result<()> {
        self.output.say("203 OK RECEIVING SETTINGS")?;
        let mut settings = self.settings.clone();
        let mut result = Ok(());
        while let Some((line, is_cut)) = self.next_in_block()? {
            let taken = if is_cut { Err(SettingError::Value) } else { settings.set(&line) };
            if taken.is_err() {
                tracing::warn!(line, "setting refused");
            }
            result = result.and(taken);
        }
        match result {
            Ok(()) => {
                self.settings = settings;
                self.output.say("203 OK SETTINGS RECEIVED")
            }
            Err(SettingError::Syntax) => self.output.say("302 ERROR BAD SYNTAX"),
            Err(SettingError::Value) => self.output.say("303 ERROR INVALID PARAMETER OR VALUE"),
        }
    }

    fn speak(&mut self, kind: MessageKind) -> io::Result<()> {
        self.output.say("202 OK RECEIVING MESSAGE")?;
        let (mut text, mut lines, mut is_too_long) = (String::new(), 0_usize, false);
        while let Some((line, is_cut)) = self.next_in_block()? {
            // A line that begins with a dot has got another one, to be told from the end.
            let line = line.strip_prefix('.').unwrap_or(&line);
            is_too_long |= is_cut || text.len() + line.len() >= self.limits.message_bytes;
            if !is_too_long {
                if lines > 0 {
                    text.push('\n');
                }
                text.push_str(line);
            }
            lines = lines.saturating_add(1);
        }
        if kind != MessageKind::Text && lines > 1 {
            return self.output.say("305 DATA MORE THAN ONE LINE");
        }
        if is_too_long || self.speaker.is_busy() {
            tracing::warn!(is_too_long, "message refused");
            return self.output.say("301 ERROR CANT SPEAK");
        }
        match self.synthesizer() {
            Ok(synthesizer) => {
                let text = self.to_speak(kind, &text);
                self.output.say("200 OK SPEAKING")?;
                self.speaker.speak(Message { text, config: self.settings.speak_config(), synthesizer });
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "message refused");
                self.output.say("301 ERROR CANT SPEAK")
            }
        }
    }

    fn to_speak(&self, kind: MessageKind, text: &str) -> MarkedText {
        let names_capitals = self.settings.names_capitals;
        let plain = |text| MarkedText { text, marks: Vec::new() };
        match kind {
            MessageKind::Text => {
                let text = MarkedText::parse(text);
                if self.settings.is_spelled { spelling::spelled(&text, names_capitals) } else { text }
            }
            MessageKind::Char => plain(spelling::char_text(text, names_capitals)),
            MessageKind::Key => plain(spelling::key_text(text)),
            MessageKind::SoundIcon => plain(spelling::plain_words(text)),
        }
    }

    /// The voice asked for by name, or one of the language asked for; the default one where there is none, because
    /// clients ask for their user's language whether or not anything speaks it.
    fn synthesizer(&self) -> Result<Synthesizer> {
        let Some(voices) = &self.voices else { return Err(Error::Job(crate::engine::JobError::Ended)) };
        let is_known = |name: &&str| voices.cards().iter().any(|card| card.name == **name);
        let by_name = self.settings.voice.as_deref().filter(is_known).map(str::to_owned);
        let by_language = || voices.speaking(self.settings.language.as_deref()?);
        voices.get(by_name.or_else(by_language).as_deref())
    }

    fn list_voices(&mut self, language: Option<&str>) -> io::Result<()> {
        let Some(voices) = &self.voices else { return self.output.say("304 CANT LIST VOICES") };
        let mut reply = String::new();
        for (VoiceCard { name, .. }, meta) in voices.described() {
            if language.is_none_or(|language| is_same_language(&meta.language, language)) {
                reply.push_str(&format!("200-{}\t{}\tnone\n", one_line(&name), one_line(&meta.language)));
            }
        }
        self.output.say(&format!("{reply}200 OK VOICE LIST SENT"))
    }

    fn debug_on(&mut self, path: &str) -> io::Result<()> {
        match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => {
                self.debug = Some(file);
                self.output.say("200 OK DEBUGGING ON")
            }
            Err(error) => {
                tracing::warn!(%error, path, "no debugging");
                self.output.say("303 CANT OPEN CUSTOM DEBUG FILE")
            }
        }
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
