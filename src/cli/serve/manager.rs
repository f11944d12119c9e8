//! What systemd, or another service manager of its kind, is told.

use std::future::Future;
use std::time::Duration;

use fastglow::config::Resolved;
use fastglow::daemon::Speaker;
use sd_notify::NotifyState;

/// How long the voice may not get on beyond what a lost sound card explains.
const STALL: Duration = Duration::from_secs(10);

/// As long as the voice gets on.
pub fn feed_watchdog(speaker: Option<Speaker>, config: &Resolved) -> impl Future<Output = ()> + use<> {
    let lost_card = config.loudspeaker.as_ref().map_or(0, |loudspeaker| loudspeaker.sink.reconnect_ms);
    let most = Duration::from_millis(lost_card.into()) + STALL;
    let interval = sd_notify::watchdog_enabled().map(|limit| limit / 2);
    async move {
        let Some(interval) = interval.filter(|interval| !interval.is_zero()) else { return };
        let mut ticks = tokio::time::interval(interval);
        loop {
            ticks.tick().await;
            match &speaker {
                Some(speaker) if speaker.stalled_for() > most => {
                    tracing::error!(stalled_for = ?speaker.stalled_for(), "the voice does not get on");
                }
                _ => tell_manager(&[NotifyState::Watchdog]),
            }
        }
    }
}

/// Nothing happens where there is no service manager.
pub fn tell_manager(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
