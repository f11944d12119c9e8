//! `fastglow serve`: the daemon, its signals, and its service manager.

mod listeners;
mod manager;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fastglow::audio::reference;
use fastglow::compute::Compute;
use fastglow::config::{ConfigFile, Resolved};
use fastglow::daemon::http::{self, HttpDeps, HttpLimits};
use fastglow::daemon::{self, Lexicon, Limits, Metrics, Settings, Shared, Speaker, Voices, socket, wyoming};
use sd_notify::NotifyState;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use listeners::{Listeners, bind_tcp, inherited_socket};
use manager::{feed_watchdog, tell_manager};

use super::failure::Failure;
use super::{environment, journal};

/// Read when no file is named, if it is there.
const USUAL_FILE: &str = "/etc/fastglow/fastglow.toml";
/// Sockets only: the voices compute on threads of their own.
const SOCKET_THREADS: usize = 2;
/// How long a voice that is being loaded may hold up the end.
const ABANDON: Duration = Duration::from_millis(50);
/// A voice or lexicon that is replaced is noticed within this.
const LOOK_AT_FILES_EVERY: Duration = Duration::from_secs(2);
/// What the reference may be behind.
const REFERENCE_SAMPLES: usize = 96_000;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration. Default: /etc/fastglow/fastglow.toml, or all defaults if that is missing.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Arguments {
    fn file(&self) -> Result<ConfigFile, Failure> {
        Ok(match &self.config {
            Some(path) => ConfigFile::read(path)?,
            None if Path::new(USUAL_FILE).exists() => ConfigFile::read(Path::new(USUAL_FILE))?,
            None => ConfigFile::absent(),
        })
    }
}

pub fn run(arguments: &Arguments, is_verbose: bool) -> Result<(), Failure> {
    let config = arguments.file()?.resolve()?;
    environment::prepare_to_speak(config.threads);
    if !is_verbose {
        journal::write(config.journal_level);
    }
    if rustix::process::geteuid().is_root() {
        tracing::warn!(
            "runs as root, which it never needs: give it a user of its own, as the systemd unit does"
        );
    }
    let started = |source| Failure::Io { what: "the daemon", source };
    let runtime = Builder::new_multi_thread()
        .worker_threads(SOCKET_THREADS)
        .thread_name("fastglow-sockets")
        .enable_all()
        .build()
        .map_err(started)?;
    let result = runtime.block_on(serve(arguments, config));
    runtime.shutdown_timeout(ABANDON);
    result
}

async fn serve(arguments: &Arguments, mut config: Resolved) -> Result<(), Failure> {
    let signals = |source| Failure::Io { what: "signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(signals)?;
    let voices = Voices::new(config.search.clone(), config.default_voice.clone(), config.most_loaded);
    let device = config.compute.open().map_err(fastglow::Error::from)?;
    tracing::info!(asked = %config.compute, taken = %Compute::of(&device), "what vocoders compute on");
    let voices = Arc::new(voices.on(device).with_lexicon(Lexicon::new(config.lexicon.clone())));
    warm_up(&voices).await?;
    let (ear, reference) = match (&mut config.loudspeaker, &config.reference) {
        (Some(loudspeaker), Some(_)) => {
            let (reference, ear) = reference(REFERENCE_SAMPLES);
            loudspeaker.sink.reference = Some(reference);
            (Some(ear), config.reference.clone())
        }
        _ => (None, None),
    };
    let metrics = Arc::new(Metrics::default());
    let start =
        |loudspeaker| Speaker::start(voices.clone(), loudspeaker, config.limits.clone(), metrics.clone());
    let speaker = config.loudspeaker.clone().map(start).transpose()?;
    let settings = Settings { limits: config.limits.clone(), speech: config.speech.clone() };
    let shared = Arc::new(Shared::new(voices, speaker.clone(), metrics, settings));

    let (end, ending) = watch::channel(false);
    let mut listeners = Listeners::until(ending);
    let socket = listeners.unix(&config.socket, inherited_socket()?)?;
    listeners.spawn(|ended| socket::run(socket, shared.clone(), ended));
    if let (Some(ear), Some(path)) = (ear, reference) {
        let socket = listeners.unix(&path, None)?;
        let most_clients = config.limits.connections;
        listeners.spawn(|ended| daemon::reference::run(socket, ear, most_clients, ended));
    }
    if let Some(address) = config.wyoming {
        let listener = wyoming::Listener::Tcp(bind_tcp(address).await?);
        listeners
            .spawn(|ended| wyoming::run(listener, shared.clone(), wyoming_limits(&config.limits), ended));
    }
    if let Some(path) = &config.wyoming_socket {
        let listener = wyoming::Listener::Unix(listeners.unix(path, None)?);
        listeners
            .spawn(|ended| wyoming::run(listener, shared.clone(), wyoming_limits(&config.limits), ended));
    }
    if let Some(address) = config.http {
        let listener = bind_tcp(address).await?;
        let token = config.http_token.clone();
        let deps = HttpDeps { shared: shared.clone(), limits: http_limits(&config.limits), token };
        listeners.spawn(|ended| async move {
            if let Err(error) = http::run(listener, deps, ended).await {
                tracing::error!(%error, "http is no longer served");
            }
        });
    }

    tell_manager(&[NotifyState::Ready]);
    tracing::info!(socket = %config.socket.display(), "ready");
    tokio::spawn(feed_watchdog(speaker.clone(), &config));
    tokio::spawn(watch_files(shared.voices.clone()));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => reload(arguments, &mut config, &shared).await,
        }
    }
    tell_manager(&[NotifyState::Stopping]);
    // First the sound, which is heard; then the clients are told.
    if let Some(speaker) = speaker {
        let _ = tokio::task::spawn_blocking(move || speaker.close()).await;
    }
    let _ = end.send(true);
    listeners.close().await;
    tracing::info!("ended");
    Ok(())
}

fn wyoming_limits(limits: &Limits) -> wyoming::Limits {
    wyoming::Limits {
        connections: limits.connections,
        frame_bytes: limits.request_bytes,
        text_bytes: limits.text_bytes,
        stalled: Duration::from_millis(limits.client_stall_ms.into()),
        ..wyoming::Limits::default()
    }
}

fn http_limits(limits: &Limits) -> HttpLimits {
    let stall_ms = limits.client_stall_ms.into();
    HttpLimits {
        connections: limits.connections,
        body_bytes: limits.request_bytes,
        streamed_text_chars: limits.text_bytes,
        head_ms: stall_ms,
        body_ms: stall_ms,
        stall_ms,
        ..HttpLimits::default()
    }
}

/// The first client should not wait for the voice, and a daemon without one should not start.
async fn warm_up(voices: &Arc<Voices>) -> Result<(), Failure> {
    let voices = voices.clone();
    let load = move || {
        refresh_lexicon(&voices);
        voices.get(None).map(drop)
    };
    match tokio::task::spawn_blocking(load).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(Failure::Io { what: "the voice", source: io::Error::other(error) }),
    }
}

/// Voices and limits anew; what is being spoken goes on. What cannot be read leaves everything as it was.
async fn reload(arguments: &Arguments, config: &mut Resolved, shared: &Arc<Shared>) {
    let read = || -> Result<Resolved, Failure> { Ok(arguments.file()?.resolve()?) };
    let mut new = match read() {
        Ok(new) => new,
        Err(failure) => {
            tracing::error!("the configuration stays as it was: {}", failure.message());
            return;
        }
    };
    shared.set_settings(Settings { limits: new.limits.clone(), speech: new.speech.clone() });
    if let (Some(speaker), Some(loudspeaker)) = (&shared.speaker, &new.loudspeaker) {
        speaker.set_volume_db(loudspeaker.volume_db);
    }
    let voices = shared.voices.clone();
    let reloading = tokio::task::spawn_blocking(move || {
        refresh_lexicon(&voices);
        voices.reload()
    });
    for (voice, error) in reloading.await.unwrap_or_default() {
        tracing::error!(voice, %error, "a voice stays as it was");
    }
    // All that has just been taken over, and what never matters, is not compared.
    new.limits = config.limits.clone();
    new.speech = config.speech.clone();
    if let (Some(new), Some(old)) = (&mut new.loudspeaker, &config.loudspeaker) {
        new.volume_db = old.volume_db;
        new.sink.reference = old.sink.reference.clone();
    }
    if new != *config {
        tracing::warn!("some of what has changed in the configuration needs a restart");
    }
    tracing::info!("reloaded");
}

/// Takes over voices and pronunciations whose files are replaced.
async fn watch_files(voices: Arc<Voices>) {
    let mut ticks = tokio::time::interval(LOOK_AT_FILES_EVERY);
    loop {
        ticks.tick().await;
        let voices = voices.clone();
        let look = move || {
            refresh_lexicon(&voices);
            voices.reload_replaced()
        };
        let (new, failed) = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        for voice in new {
            tracing::info!(voice, "a voice was replaced");
        }
        for (voice, error) in failed {
            tracing::error!(voice, %error, "a voice stays as it was");
        }
    }
}

/// A lexicon that cannot be read keeps nobody from speaking.
fn refresh_lexicon(voices: &Voices) {
    match voices.lexicon().refresh() {
        Ok(true) => tracing::info!(words = voices.lexicon().words().all().len(), "the lexicon was read"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the lexicon stays as it was"),
    }
}
