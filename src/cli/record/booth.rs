//! The conversation with whoever reads: lines and the Enter key, a level while the microphone is open.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use fastglow::adapt::{Enough, Problem, Progress, Recorder, Verdict};
use fastglow::audio::Microphone;
use fastglow::signal::{Recording, read_wav};

use crate::cli::failure::{Failure, warn};

/// How often sound is fetched and the level drawn.
const LOOK: Duration = Duration::from_millis(100);
/// A take ends by itself after this; adaptation takes at most 15 s of speech.
const LONGEST_SECONDS: f64 = 20.0;
/// A microphone that gives nothing for this long does not work.
const DEAF_LOOKS: u32 = 30;
/// Left out at the beginning, while the device settles and the key still sounds; "Speak now" comes after it.
const SETTLE_SECONDS: f64 = 0.25;
/// Left out at the end: the key that ended it.
const KEY_SECONDS: f64 = 0.1;
/// Lines that are read ahead, and bytes of one that matter.
const QUEUED_LINES: usize = 64;
const LINE_BYTES: u64 = 256;

/// What the reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Enter,
    Redo,
    Skip,
    Back,
    Quit,
    Unknown,
}

impl Key {
    fn of(line: &str) -> Self {
        match line.trim() {
            "" => Self::Enter,
            "r" => Self::Redo,
            "s" => Self::Skip,
            "b" => Self::Back,
            "q" => Self::Quit,
            _ => Self::Unknown,
        }
    }
}

/// Lines of standard input, read on a thread of their own; the end of the input is a wish to quit.
pub struct Keys(Receiver<Key>);

impl Keys {
    pub fn read(source: impl Read + Send + 'static) -> Self {
        let (sender, keys) = sync_channel(QUEUED_LINES);
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            loop {
                line.clear();
                // The rest of a longer line is another one, and as unknown.
                match source.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
                if sender.send(Key::of(&String::from_utf8_lossy(&line))).is_err() {
                    return;
                }
            }
        });
        Self(keys)
    }

    fn wait(&self) -> Key {
        self.0.recv().unwrap_or(Key::Quit)
    }

    fn within(&self, time: Duration) -> Option<Key> {
        match self.0.recv_timeout(time) {
            Ok(key) => Some(key),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Key::Quit),
        }
    }
}

/// Where takes come from.
pub enum Source {
    Microphone(Microphone),
    /// One file a take.
    Files(VecDeque<PathBuf>),
}

/// What came of opening the microphone.
enum Heard {
    Take(Recording),
    /// The sound has holes.
    Torn,
    /// Given up, by this key.
    Left(Key),
}

/// The reader, their microphone and the folder.
pub struct Booth {
    pub recorder: Recorder,
    pub source: Source,
    pub keys: Keys,
}

impl Booth {
    /// Asks until all prompts are read, the files are used up or the reader quits.
    ///
    /// # Errors
    /// The microphone fails, a file cannot be read or written.
    pub fn run(mut self) -> Result<Progress, Failure> {
        eprintln!(
            "Read each sentence aloud as you want the voice to speak, always at the same distance.\n\
             Enter starts and ends a take; r: the last one again, s: skip, b: one back, q: quit (also while recording)."
        );
        if self.recorder.progress().kept > 0 {
            eprintln!("{}", advice(&self.recorder.progress()));
        }
        while let Some(prompt) = self.recorder.prompt() {
            if matches!(&self.source, Source::Files(files) if files.is_empty()) {
                break;
            }
            let count = self.recorder.progress().prompts;
            eprintln!("\n[{}/{count}]  {prompt}", self.recorder.number());
            let key = match self.keys.wait() {
                Key::Enter => match self.hear()? {
                    Heard::Take(recording) => {
                        self.judge(recording)?;
                        continue;
                    }
                    Heard::Torn => {
                        warn("some of the sound was lost: this machine was too busy; read it again");
                        continue;
                    }
                    // What was recorded so far is let go, and the same sentence asked again.
                    Heard::Left(Key::Redo) => continue,
                    Heard::Left(key) => key,
                },
                key => key,
            };
            match key {
                Key::Enter => {}
                Key::Redo => {
                    if !self.recorder.redo() {
                        eprintln!("there is no take yet");
                    }
                }
                Key::Skip => self.recorder.skip(),
                Key::Back => self.recorder.back(),
                Key::Quit => break,
                Key::Unknown => eprintln!("Enter, r, s, b or q, please"),
            }
        }
        Ok(self.recorder.progress())
    }

    fn judge(&mut self, recording: Recording) -> Result<(), Failure> {
        match self.recorder.take(recording)? {
            Some(Verdict::Kept { seconds, speech_dbfs, snr_db }) => {
                eprintln!("kept: {seconds:.1} s at {speech_dbfs:.0} dBFS, {snr_db:.0} dB above the noise");
                eprintln!("{}", advice(&self.recorder.progress()));
            }
            Some(Verdict::Refused(Problem::Pace { .. })) => {
                warn("too fast or too slow for this sentence, or only a part of it; read all of it again");
            }
            Some(Verdict::Refused(problem)) => warn(problem),
            None => {}
        }
        Ok(())
    }

    fn hear(&mut self) -> Result<Heard, Failure> {
        match &mut self.source {
            Source::Microphone(microphone) => listen(microphone, &self.keys),
            Source::Files(files) => match files.pop_front() {
                Some(path) => Ok(Heard::Take(read_wav(&path).map_err(fastglow::adapt::AdaptError::from)?)),
                None => Ok(Heard::Left(Key::Quit)),
            },
        }
    }
}

/// Records until a key comes or the time is up.
fn listen(microphone: &Microphone, keys: &Keys) -> Result<Heard, Failure> {
    let rate_hz = microphone.rate_hz();
    let samples_in = |seconds: f64| (seconds * f64::from(rate_hz)) as usize;
    let (settling, longest) = (samples_in(SETTLE_SECONDS), samples_in(SETTLE_SECONDS + LONGEST_SECONDS));
    let mut capture = microphone.start()?;
    let mut samples = Vec::with_capacity(longest);
    let (mut is_told, mut deaf_looks) = (false, 0);
    let key = loop {
        let key = keys.within(LOOK);
        let count = capture.read(&mut samples)?;
        deaf_looks = if count == 0 { deaf_looks + 1 } else { 0 };
        if deaf_looks == DEAF_LOOKS {
            let reason = "it gives no samples".into();
            return Err(fastglow::audio::AudioError::Microphone { operation: "record", reason }.into());
        }
        if samples.len() > settling {
            if !is_told {
                eprintln!("Speak now; Enter when done.");
                is_told = true;
            }
            draw(samples.get(samples.len() - count..).unwrap_or_default());
        }
        if let Some(key) = key {
            break key;
        }
        if samples.len() >= longest {
            eprintln!("\nended after {LONGEST_SECONDS:.0} s");
            break Key::Enter;
        }
    };
    wipe();
    // An unknown line is most often a slip of the finger at the end.
    if !matches!(key, Key::Enter | Key::Unknown) {
        return Ok(Heard::Left(key));
    }
    if capture.losses() > 0 {
        return Ok(Heard::Torn);
    }
    samples.truncate(samples.len().min(longest).saturating_sub(samples_in(KEY_SECONDS)));
    samples.drain(..settling.min(samples.len()));
    Ok(Heard::Take(Recording { samples, sample_rate_hz: rate_hz, channel_count: 1 }))
}

/// The level of what has just come, in one line that the next one overwrites; a file of messages gets none.
fn draw(samples: &[f32]) {
    if io::stderr().is_terminal() && !samples.is_empty() {
        eprint!("\r\x1b[K{}", meter(samples.iter().fold(0.0, |peak: f32, s| peak.max(s.abs()))));
    }
}

fn wipe() {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// A bar of 30 marks for -60 to 0 dBFS.
fn meter(peak: f32) -> String {
    const MARKS: usize = 30;
    let peak_dbfs = 20.0 * peak.max(1e-6).log10();
    let lit = (((peak_dbfs + 60.0) / 60.0).clamp(0.0, 1.0) * MARKS as f32).round() as usize;
    let comment = match peak_dbfs {
        level if level > -1.0 => "too loud",
        level if level < -40.0 => "quiet",
        _ => "",
    };
    format!("[{}{}] {peak_dbfs:4.0} dBFS {comment}", "#".repeat(lit), "-".repeat(MARKS - lit))
}

/// How much there is, and how much is enough.
pub fn advice(progress: &Progress) -> String {
    let Progress { kept, seconds, .. } = *progress;
    let have = format!("{kept} sentences, {:.1} minutes of speech", seconds / 60.0);
    match progress.enough() {
        Enough::TooFew(missing) => format!("{have}; {missing} more is the least, three minutes are good"),
        Enough::Least(more) => format!("{have}; {:.1} minutes more are good", more / 60.0),
        Enough::Good => format!("{have}: enough"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_keys_and_the_end_is_quitting() {
        let long = format!("\n r \ns\nb\r\nq\nhm\n{}\n", "x".repeat(300));
        let keys = Keys::read(io::Cursor::new(long));
        let expected = [
            Key::Enter,
            Key::Redo,
            Key::Skip,
            Key::Back,
            Key::Quit,
            Key::Unknown,
            Key::Unknown,
            Key::Unknown,
        ];
        assert_eq!(expected.map(|_| keys.wait()), expected);
        assert_eq!((keys.wait(), keys.within(LOOK)), (Key::Quit, Some(Key::Quit)));
    }

    #[test]
    fn the_meter_grows_and_warns() {
        assert_eq!(meter(0.0), format!("[{}] -120 dBFS quiet", "-".repeat(30)));
        assert_eq!(meter(0.1), format!("[{}{}]  -20 dBFS ", "#".repeat(20), "-".repeat(10)));
        assert_eq!(meter(1.5), format!("[{}]    4 dBFS too loud", "#".repeat(30)));
    }

    #[test]
    fn advice_counts_minutes() {
        let after = |kept, seconds| advice(&Progress { kept, prompts: 140, seconds });
        assert_eq!(
            after(2, 6.0),
            "2 sentences, 0.1 minutes of speech; 3 more is the least, three minutes are good"
        );
        assert_eq!(after(20, 60.0), "20 sentences, 1.0 minutes of speech; 2.0 minutes more are good");
        assert_eq!(after(50, 186.0), "50 sentences, 3.1 minutes of speech: enough");
    }
}
