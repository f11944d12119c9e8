//! The thread that looks after a sound card: opens it, pauses it when there is nothing to play, and finds it again when it
//! went away.
//!
//! It sleeps until it is rung for while the card is idle, and looks up ten times a second while it plays.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::bell::lock;
use super::device::{Card, Cards, OpenCard};
use super::feed::{Feed, FeedConfig};
use super::player::{Outlet, Player};
use super::ring::Reader;
use super::{AudioError, Reference, Sink, SinkConfig};

/// How long to put up with what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Between two looks at a card that plays.
    pub(super) look: Duration,
    /// A card that plays but asks for nothing so long is dead.
    pub(super) stall: Duration,
    /// Before the first attempt after a failure; doubled each time…
    pub(super) first_retry: Duration,
    /// …up to this.
    pub(super) longest_retry: Duration,
    /// A card that has played so long since it was opened is well.
    pub(super) well: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            look: Duration::from_millis(100),
            stall: Duration::from_secs(3),
            first_retry: Duration::from_millis(100),
            longest_retry: Duration::from_secs(5),
            well: Duration::from_secs(2),
        }
    }
}

/// Opens the card that the configuration names, at its own rate and channels.
///
/// # Errors
/// There is none, or it refuses.
pub(super) fn open(config: &SinkConfig) -> Result<Box<dyn Sink>, AudioError> {
    open_card(Cards::system(config), config, Patience::default())
}

/// The same on a host of the caller's: a sound system that cpal does not know, or one for tests.
///
/// # Errors
/// As for the sink `device`.
pub fn open_on(
    host: impl Fn() -> cpal::Host + Send + 'static,
    config: &SinkConfig,
) -> Result<Box<dyn Sink>, AudioError> {
    open_card(Cards::of(config, move || Ok(host())), config, Patience::default())
}

pub(super) fn open_card(
    cards: Cards,
    config: &SinkConfig,
    patience: Patience,
) -> Result<Box<dyn Sink>, AudioError> {
    let (report, opened) = sync_channel(1);
    let is_closing = Arc::new(AtomicBool::new(false));
    let thread = thread::Builder::new().name("fastglow-audio".into()).spawn({
        let (config, is_closing) = (config.clone(), is_closing.clone());
        move || run(cards, &config, patience, &is_closing, &report)
    });
    let failed =
        |reason: String| AudioError::Device { operation: "start a thread that looks after it", reason };
    let thread = thread.map_err(|error| failed(error.to_string()))?;
    let (feed, tail) = opened.recv().map_err(|_| failed("it has ended".into()))??;
    let reconnect = Duration::from_millis(config.reconnect_ms.into());
    let kept = KeptCard { reconnect, tail, is_closing, feed: feed.clone(), thread: Mutex::new(Some(thread)) };
    Ok(Box::new(Player::new(feed, kept)))
}

/// The writing thread's view of a card.
struct KeptCard {
    reconnect: Duration,
    tail: Duration,
    is_closing: Arc<AtomicBool>,
    feed: Arc<Feed>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Outlet for KeptCard {
    fn wait(&self, feed: &Feed, seen: u64, time: Duration) -> Result<(), AudioError> {
        let limit = match feed.loss() {
            Some(loss) => match self.reconnect.checked_sub(loss.since.elapsed()) {
                Some(left) if !left.is_zero() => Some(left),
                _ => return Err(AudioError::Lost { reason: loss.reason }),
            },
            // No time makes room now.
            None if feed.is_paused() => None,
            None => Some(time),
        };
        feed.bell.wait(seen, limit);
        Ok(())
    }

    fn wait_for_tail(&self) {
        thread::sleep(self.tail);
    }

    fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.feed.bell.ring();
        if let Some(thread) = lock(&self.thread).take() {
            // A panic there has ended the sound; there is nothing left to save.
            let _ = thread.join();
        }
    }
}

type Opened = Result<(Arc<Feed>, Duration), AudioError>;

/// The thread.
fn run(
    cards: Cards,
    config: &SinkConfig,
    patience: Patience,
    is_closing: &AtomicBool,
    report: &SyncSender<Opened>,
) {
    let (feed, card) = match first_open(&cards, config) {
        Ok(opened) => opened,
        Err(error) => {
            // Whoever opens waits for it.
            let _ = report.send(Err(error));
            return;
        }
    };
    let _ = report.send(Ok((feed.clone(), card.tail())));
    let idle = Duration::from_millis(config.idle_ms.into());
    let mut keeper =
        Keeper { cards, feed, idle, patience, retry: patience.first_retry, card: Kept::Silent(card) };
    loop {
        // Before looking, so that no ring is missed.
        let seen = keeper.feed.bell.count();
        if is_closing.load(Ordering::Acquire) {
            return;
        }
        let next_look = keeper.look_after(Instant::now());
        keeper.feed.bell.wait(seen, next_look);
    }
}

fn first_open(cards: &Cards, config: &SinkConfig) -> Result<(Arc<Feed>, OpenCard), AudioError> {
    let card = cards.find()?;
    let (feed, reader) = Feed::new(FeedConfig {
        voice_hz: config.sample_rate_hz,
        device_hz: card.rate_hz(),
        ring_ms: config.ring_ms,
        prefill_ms: config.prefill_ms,
    })?;
    let reader = reader.with_tap(config.reference.as_ref().and_then(Reference::lend));
    let card = card.open(reader).map_err(|(error, _)| error)?;
    Ok((Arc::new(feed), card))
}

struct Keeper {
    cards: Cards,
    feed: Arc<Feed>,
    idle: Duration,
    patience: Patience,
    retry: Duration,
    card: Kept,
}

/// What the card is doing.
enum Kept {
    /// Its callback runs.
    Playing(OpenCard, Watch),
    /// Open, but its callback does not run.
    Silent(OpenCard),
    /// Closed: it went away, or cannot be paused. Not to be opened before this moment.
    Closed(Reader, Instant),
    /// The system kept the reader: nothing can be done.
    Stuck,
}

/// When what was last seen of a card that plays.
#[derive(Debug, Clone, Copy)]
struct Watch {
    started: Instant,
    first_beat: u64,
    is_well: bool,
    beats: u64,
    last_beat: Instant,
    last_demand: Instant,
}

impl Keeper {
    /// Does what is to be done now, and says when to look again: `None` for when the bell rings.
    fn look_after(&mut self, now: Instant) -> Option<Duration> {
        let (card, next_look) = match std::mem::replace(&mut self.card, Kept::Stuck) {
            Kept::Playing(card, watch) => self.watch(card, watch, now),
            Kept::Silent(card) if self.feed.has_demand() => match (card.fault(), card.play()) {
                (None, Ok(())) => (playing(card, now), Some(self.patience.look)),
                (Some(reason), _) => self.lose(card, reason.into(), now),
                (None, Err(error)) => self.lose(card, error.to_string(), now),
            },
            Kept::Silent(card) => (Kept::Silent(card), None),
            Kept::Closed(reader, not_before) => self.reopen(reader, not_before, now),
            Kept::Stuck => (Kept::Stuck, None),
        };
        self.card = card;
        next_look
    }

    fn watch(&mut self, card: OpenCard, mut watch: Watch, now: Instant) -> (Kept, Option<Duration>) {
        self.feed.add_underruns(card.take_xruns());
        let beats = card.beats();
        if beats > watch.beats {
            (watch.beats, watch.last_beat) = (beats, now);
            self.feed.set_loss(None);
        }
        if let Some(reason) = card.fault() {
            return self.lose(card, reason.into(), now);
        }
        if now - watch.last_beat > self.patience.stall {
            return self.lose(card, "it takes no more samples".into(), now);
        }
        if !watch.is_well && now - watch.started > self.patience.well {
            watch.is_well = true;
            self.retry = self.patience.first_retry;
            card.promote(beats - watch.first_beat, now - watch.started);
        }
        // A change of rate may have left samples over.
        self.feed.top_up();
        if self.feed.has_demand() {
            watch.last_demand = now;
        } else if now - watch.last_demand >= self.idle {
            return match card.pause() {
                Ok(()) => (Kept::Silent(card), None),
                Err(_) => (self.close(card, now), None),
            };
        }
        (Kept::Playing(card, watch), Some(self.patience.look))
    }

    /// The card has failed. What it did not play waits for the next one.
    fn lose(&mut self, card: OpenCard, reason: String, now: Instant) -> (Kept, Option<Duration>) {
        tracing::warn!(reason, "audio device lost");
        self.feed.set_loss(Some(reason));
        let closed = self.close(card, now + self.retry);
        (closed, Some(self.back_off()))
    }

    fn back_off(&mut self) -> Duration {
        let delay = self.retry;
        self.retry = (2 * delay).min(self.patience.longest_retry);
        delay
    }

    fn close(&mut self, card: OpenCard, not_before: Instant) -> Kept {
        match card.close() {
            Some(reader) => Kept::Closed(reader, not_before),
            None => {
                self.feed.set_loss(Some("the sound system does not let go of it".into()));
                Kept::Stuck
            }
        }
    }

    fn reopen(&mut self, mut reader: Reader, not_before: Instant, now: Instant) -> (Kept, Option<Duration>) {
        // No callback does it now.
        reader.drop_void();
        if !self.feed.has_demand() {
            // Nobody misses it: a later write has all its patience left.
            self.feed.set_loss(None);
            return (Kept::Closed(reader, not_before), None);
        }
        if now < not_before {
            return (Kept::Closed(reader, not_before), Some(not_before - now));
        }
        match self.try_open(reader) {
            Ok(card) => {
                tracing::info!("audio device open again");
                (playing(card, now), Some(self.patience.look))
            }
            Err((error, reader)) => {
                tracing::debug!(%error, "audio device not open yet");
                self.feed.set_loss(Some(error.to_string()));
                let delay = self.back_off();
                let kept = reader.map_or(Kept::Stuck, |reader| Kept::Closed(reader, now + delay));
                (kept, Some(delay))
            }
        }
    }

    /// Opens what is there now, and plays.
    fn try_open(&self, mut reader: Reader) -> Result<OpenCard, (AudioError, Option<Reader>)> {
        let ready = |card: &Card, reader: &mut Reader| self.feed.change_rate(reader, card.rate_hz());
        let card = match self.cards.find() {
            Ok(card) => card,
            Err(error) => return Err((error, Some(reader))),
        };
        if let Err(error) = ready(&card, &mut reader) {
            return Err((error, Some(reader)));
        }
        let card = card.open(reader)?;
        match card.play() {
            Ok(()) => Ok(card),
            Err(error) => Err((error, card.close())),
        }
    }
}

fn playing(card: OpenCard, now: Instant) -> Kept {
    let beats = card.beats();
    let watch =
        Watch { started: now, first_beat: beats, is_well: false, beats, last_beat: now, last_demand: now };
    Kept::Playing(card, watch)
}
