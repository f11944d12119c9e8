//! A request is done.

use serde_json::{Value, json};

use super::reply::Refusal;
use super::request::Request;
use crate::daemon::shared::Shared;
use crate::daemon::speaker::{Client, Scope, Speaker};

/// What the answer says.
///
/// # Errors
/// Nothing was done.
pub(crate) async fn apply(
    request: Request,
    shared: &Shared,
    speaker: &Speaker,
    client: &Client,
) -> Result<Value, Refusal> {
    let settings = shared.settings();
    Ok(match request {
        Request::Say(speech) => json!({ "job": client.say(speech.into_say(&settings.speech, false)?)? }),
        Request::Now(speech) => json!({ "job": client.say(speech.into_say(&settings.speech, true)?)? }),
        Request::Append { job, text } => {
            client.append(job, &text)?;
            json!({ "job": job })
        }
        Request::Finish { job } => {
            client.finish(job)?;
            json!({ "job": job })
        }
        Request::Stop { job: Some(job), .. } => json!({ "stopped": speaker.stop(Scope::Job(job)) }),
        Request::Stop { job: None, all: true } => json!({ "stopped": speaker.stop(Scope::All) }),
        Request::Stop { job: None, all: false } => json!({ "stopped": client.stop(None) }),
        Request::Pause {} => {
            speaker.pause();
            json!({})
        }
        Request::Resume {} => {
            speaker.resume();
            json!({})
        }
        Request::Skip {} => json!({ "skipped": speaker.skip() }),
        Request::Status {} => json!({ "status": speaker.status() }),
        Request::Voices {} => {
            let voices = shared.voices.clone();
            // It looks into folders.
            let cards = tokio::task::spawn_blocking(move || voices.cards()).await;
            json!({ "voices": cards.map_err(|_| Refusal::new("failed", "voices: cannot be listed"))? })
        }
    })
}
