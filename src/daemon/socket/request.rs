//! A line from a client.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::reply::Refusal;
use crate::daemon::queue::JobNumber;
use crate::daemon::speaker::Say;
use crate::engine::SpeakConfig;
use crate::markup::Script;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Speak in turn.
    Say(Speech),
    /// Interrupt, and speak now.
    Now(Speech),
    /// More of a text.
    Append {
        /// Which.
        job: JobNumber,
        /// The next piece.
        text: String,
    },
    /// A text is all there.
    Finish {
        /// Which.
        job: JobNumber,
    },
    /// Silence: one utterance, all of this client's, or all.
    Stop {
        /// One.
        job: Option<JobNumber>,
        /// Those of other clients, too.
        #[serde(default)]
        all: bool,
    },
    /// Keep the place.
    Pause {},
    /// Go on.
    Resume {},
    /// The next one.
    Skip {},
    /// How things are.
    Status {},
    /// Which voices there are.
    Voices {},
}

/// A text, and how to speak it. What is absent is as the daemon's configuration says.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    /// The text, or its beginning.
    #[serde(default)]
    pub text: String,
    /// Whether more follows.
    #[serde(default)]
    pub more: bool,
    /// Whether the text is a document of SSML, which must be whole.
    #[serde(default)]
    pub ssml: bool,
    /// The voice.
    pub voice: Option<String>,
    /// The greater, the sooner.
    #[serde(default)]
    pub priority: i32,
    /// Whether it is cancelled when this client goes.
    #[serde(default)]
    pub ends_with_client: bool,
    /// Whether phones and visemes are told as well as words.
    #[serde(default)]
    pub phones: bool,
    /// 0.5 to 2.
    pub rate: Option<f32>,
    /// −12 to 12.
    pub pitch_semitones: Option<f32>,
    /// −60 to the configured limit.
    pub volume_db: Option<f32>,
    /// 0 to 2.
    pub expressiveness: Option<f32>,
    /// Another one says the same a little differently.
    pub seed: Option<u64>,
}

impl Speech {
    /// As the loudspeaker wants it.
    ///
    /// # Errors
    /// It is SSML that cannot be read, or not whole.
    pub fn into_say(self, usual: &SpeakConfig, is_urgent: bool) -> Result<Say, Refusal> {
        if self.ssml && self.more {
            return Err(Refusal::new("bad_request", "ssml: expected the whole document, got `more`"));
        }
        let script = if self.ssml { Some(Script::read(&self.text)?) } else { None };
        let Script { text, directions } =
            script.unwrap_or(Script { text: self.text, directions: usual.directions.as_ref().clone() });
        let speech = SpeakConfig {
            rate: self.rate.unwrap_or(usual.rate),
            pitch_semitones: self.pitch_semitones.unwrap_or(usual.pitch_semitones),
            volume_db: self.volume_db.unwrap_or(usual.volume_db),
            expressiveness: self.expressiveness.unwrap_or(usual.expressiveness),
            seed: self.seed.unwrap_or(usual.seed),
            directions: directions.into(),
            ..usual.clone()
        };
        Ok(Say {
            text,
            is_whole: !self.more,
            voice: self.voice,
            speech,
            priority: self.priority,
            is_urgent,
            ends_with_client: self.ends_with_client,
            tells_phones: self.phones,
        })
    }
}

/// Reads a line: the client's own mark for it (`id`, any JSON value), and what it asks for.
///
/// # Errors
/// It is no request; the mark is given if there was one.
pub fn parse(line: &[u8]) -> (Value, Result<Request, Refusal>) {
    let mut object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(object) => object,
        Err(error) => return (Value::Null, Err(Refusal::bad_request(&error))),
    };
    let id = object.remove("id").unwrap_or_default();
    let request = serde_json::from_value(Value::Object(object));
    (id, request.map_err(|error| Refusal::bad_request(&error)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(line: &str) -> Result<Request, String> {
        parse(line.as_bytes()).1.map_err(|refusal| refusal.message)
    }

    #[test]
    fn a_request_is_read_and_its_mark_comes_back() {
        let (id, request) = parse(br#"{"id":[1,"a"],"do":"say","text":"Hi.","rate":1.5}"#);
        assert_eq!(id, serde_json::json!([1, "a"]));
        let speech = Speech { text: "Hi.".into(), rate: Some(1.5), ..Speech::default() };
        assert_eq!(request.ok(), Some(Request::Say(speech)));
    }

    #[test]
    fn ssml_is_read_before_it_is_taken() {
        let say = |line: &str| match request(line).unwrap() {
            Request::Say(speech) => speech.into_say(&SpeakConfig::default(), false),
            other => panic!("{other:?}"),
        };
        let taken = say(r#"{"do":"say","ssml":true,"text":"<speak>A<break/>b</speak>"}"#).unwrap();
        assert_eq!((taken.text.as_str(), taken.speech.directions.marks().len()), ("A, b", 0));
        let plain = say(r#"{"do":"say","text":"<speak>"}"#).unwrap();
        assert_eq!(plain.text, "<speak>", "plain text needs no escaping");
        let code = |line: &str| say(line).unwrap_err().code;
        assert_eq!(code(r#"{"do":"say","ssml":true,"text":"<speak>"}"#), "bad_ssml");
        assert_eq!(code(r#"{"do":"say","ssml":true,"more":true,"text":""}"#), "bad_request");
    }

    #[test]
    fn every_verb_is_known() {
        assert_eq!(request(r#"{"do":"stop"}"#), Ok(Request::Stop { job: None, all: false }));
        assert_eq!(request(r#"{"do":"stop","job":3}"#), Ok(Request::Stop { job: Some(3), all: false }));
        assert_eq!(request(r#"{"do":"pause"}"#), Ok(Request::Pause {}));
        assert_eq!(
            request(r#"{"do":"append","job":1,"text":"x"}"#),
            Ok(Request::Append { job: 1, text: "x".into() })
        );
        for verb in ["now", "resume", "skip", "status", "voices"] {
            assert!(request(&format!(r#"{{"do":"{verb}"}}"#)).is_ok(), "{verb}");
        }
    }

    #[test]
    fn what_is_unknown_is_refused_by_name() {
        assert!(request(r#"{"do":"sing"}"#).unwrap_err().contains("`sing`"));
        assert!(request(r#"{"do":"say","text":"x","volume":3}"#).unwrap_err().contains("`volume`"));
        assert!(request(r#"{"do":"pause","job":3}"#).unwrap_err().contains("`job`"));
        assert!(request(r#"{"do":"append","job":-1,"text":""}"#).is_err());
        assert!(request("[1]").is_err() && request("").is_err());
        let deep = "[".repeat(100_000);
        assert!(request(&format!(r#"{{"id":{deep}"#)).is_err());
    }

    proptest! {
        #[test]
        fn random_bytes_are_refused_and_nothing_worse(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&line).1.is_err());
        }

        #[test]
        fn random_keys_and_values_do_no_harm(
            verb in "say|now|append|finish|stop|pause|status",
            key in "text|job|all|rate|more|voice|priority|[a-z]{1,8}",
            value in "-?(0|[1-9][0-9]{0,29})(\\.[0-9]{1,9})?|\"[ -~&&[^\"\\\\]]{0,20}\"|null|true|\\[\\]|\\{\\}",
        ) {
            let line = format!(r#"{{"do":"{verb}","{key}":{value},"id":1}}"#);
            let (id, _) = parse(line.as_bytes());
            prop_assert_eq!(id, Value::from(1));
        }
    }
}
