//! The teacher: Debian's `festival` with a free voice, run in batches as a separate program.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::CorpusError;

/// A batch that has not ended by then has hung; it makes some ten utterances a second.
const BATCH_LIMIT: Duration = Duration::from_secs(600);
/// How much of the teacher's complaint an error keeps.
const MESSAGE_CHARS: usize = 400;

/// Scheme for festival: speaks a text to a wave file and writes the label file of [`super::labels`].
const SCRIPT_HEAD: &str = r#"
(define (fastglow-labels utt text path)
  (let ((out (fopen path "w")) (index 0))
    (format out "x\t%s\n" text)
    (mapcar
      (lambda (word)
        (if (item.daughters (item.relation word 'SylStructure))
          (begin
            (item.set_feat word "fastglow_index" index)
            (set! index (+ index 1))
            (format out "w\t%s\t%s\n"
              (item.feat (item.parent (item.relation word 'Token)) "id")
              (item.name word)))))
      (utt.relation.items utt 'Word))
    (mapcar
      (lambda (token)
        (if (not (item.parent token))
          (format out "t\t%s\t%s\t%s\n"
            (item.feat token "id") (item.name token) (item.feat token "punc"))))
      (utt.relation.items utt 'Token))
    (mapcar
      (lambda (segment)
        (let ((syllable (if (item.relation segment 'SylStructure)
                          (item.parent (item.relation segment 'SylStructure))
                          nil)))
          (if syllable
            (format out "p\t%s\t%f\t%s\t%s\n"
              (item.name segment) (item.feat segment "end") (item.feat syllable "stress")
              (item.feat (item.parent syllable) "fastglow_index"))
            (format out "p\t%s\t%f\t-\t-\n" (item.name segment) (item.feat segment "end")))))
      (utt.relation.items utt 'Segment))
    (fclose out)))
(define (fastglow-say text wave labels)
  (let ((utt (eval (list 'Utterance 'Text text))))
    (utt.synth utt)
    (utt.save.wave utt wave 'riff)
    (fastglow-labels utt text labels)))
"#;

/// Fails, with advice, unless festival runs and knows `voice`.
pub(super) fn check(voice: &str) -> Result<(), CorpusError> {
    if !voice.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(CorpusError::VoiceMissing {
            voice: voice.to_owned(),
            message: "not a voice name".to_owned(),
        });
    }
    let script =
        tempfile::Builder::new().suffix(".scm").tempfile().map_err(CorpusError::io("temporary files"))?;
    std::fs::write(script.path(), format!("(voice_{voice})\n"))
        .map_err(CorpusError::io("temporary files"))?;
    run(script.path(), Path::new(".")).map_err(|message| {
        message.unless_missing(|message| CorpusError::VoiceMissing { voice: voice.to_owned(), message })
    })
}

/// Speaks texts to `<stem>.wav` and `<stem>.lab` in `directory`. The texts hold no quotes or backslashes.
pub(super) fn speak(voice: &str, batch: &[(&str, &str)], directory: &Path) -> Result<(), CorpusError> {
    let mut script = format!("(voice_{voice})\n{SCRIPT_HEAD}");
    for (stem, text) in batch {
        // Writing to a String cannot fail.
        let _ = writeln!(script, "(fastglow-say \"{text}\" \"{stem}.wav\" \"{stem}.lab\")");
    }
    let path = directory.join("batch.scm");
    std::fs::write(&path, script).map_err(CorpusError::io(&path))?;
    run(Path::new("batch.scm"), directory)
        .map_err(|message| message.unless_missing(|message| CorpusError::TeacherFailed { message }))
}

enum RunError {
    Missing,
    Failed(String),
}

impl RunError {
    fn unless_missing(self, failed: impl FnOnce(String) -> CorpusError) -> CorpusError {
        match self {
            Self::Missing => CorpusError::FestivalMissing,
            Self::Failed(message) => failed(message),
        }
    }
}

fn run(script: &Path, directory: &Path) -> Result<(), RunError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => RunError::Missing,
        _ => RunError::Failed(error.to_string()),
    };
    let mut child = Command::new("festival")
        .arg("--batch")
        .arg(script)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stderr = child.stderr.take();
    // Read beside the wait, so that a full pipe cannot stall the teacher.
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(stderr) = stderr {
            // A broken pipe ends the message early; the exit status still tells.
            let _ = stderr.take(1 << 16).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).chars().take(MESSAGE_CHARS).collect::<String>()
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if started.elapsed() > BATCH_LIMIT {
            // Already ended is as good as killed.
            let _ = child.kill();
            let _ = child.wait();
            return Err(RunError::Failed(format!("no end after {} s", BATCH_LIMIT.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let message = reader.join().unwrap_or_default();
    // Festival exits with 0 after some errors of its scripts, so what it says counts too.
    if status.success() && !message.contains("ERROR") { Ok(()) } else { Err(RunError::Failed(message)) }
}
