//! `fastglow serve`: the daemon, its signals, and its service manager.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fastglow::audio::reference;
use fastglow::config::{ConfigFile, Resolved};
use fastglow::daemon::http::{self, HttpDeps, HttpLimits};
use fastglow::daemon::{self, Lexicon, Limits, Metrics, Settings, Shared, Speaker, Voices, socket, wyoming};
use sd_notify::NotifyState;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::failure::Failure;
use super::{environment, journal};

/// Read when no file is named, if it is there.
const USUAL_FILE: &str = "/etc/fastglow/fastglow.toml";
/// Sockets only: the voices compute on threads of their own.
const SOCKET_THREADS: usize = 2;
/// How long a voice that is being loaded may hold up the end.
const ABANDON: Duration = Duration::from_millis(50);
/// How long the voice may not get on beyond what a lost sound card explains.
const STALL: Duration = Duration::from_secs(10);
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
    environment::prepare(config.threads);
    if !is_verbose {
        journal::write(config.journal_level);
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
    let voices = Arc::new(voices.with_lexicon(Lexicon::new(config.lexicon.clone())));
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
    let mut listeners = Listeners { tasks: JoinSet::new(), ending, files: Vec::new() };
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

/// Everything that listens.
struct Listeners {
    tasks: JoinSet<()>,
    ending: watch::Receiver<bool>,
    /// Sockets to remove at the end.
    files: Vec<PathBuf>,
}

impl Listeners {
    fn spawn<F>(&mut self, listen: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut ending = self.ending.clone();
        let ended = async move {
            // Without a sender it has ended, too.
            let _ = ending.wait_for(|&is_ending| is_ending).await;
        };
        self.tasks.spawn(listen(Box::pin(ended)));
    }

    /// The socket that the service manager has opened, or our own.
    fn unix(&mut self, path: &Path, inherited: Option<StdUnixListener>) -> Result<UnixListener, Failure> {
        let failed = |source| Failure::File { path: path.into(), source };
        match inherited {
            Some(listener) => {
                listener.set_nonblocking(true).map_err(failed)?;
                UnixListener::from_std(listener).map_err(failed)
            }
            None => {
                let listener = socket::bind(path).map_err(failed)?;
                self.files.push(path.into());
                Ok(listener)
            }
        }
    }

    async fn close(mut self) {
        while self.tasks.join_next().await.is_some() {}
        for file in self.files {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(file);
        }
    }
}

fn inherited_socket() -> Result<Option<StdUnixListener>, Failure> {
    let failed = |source| Failure::Io { what: "the service manager's socket", source };
    listenfd::ListenFd::from_env().take_unix_listener(0).map_err(failed)
}

async fn bind_tcp(address: SocketAddr) -> Result<TcpListener, Failure> {
    let failed = |source| Failure::File { path: address.to_string().into(), source };
    TcpListener::bind(address).await.map_err(failed)
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

/// As long as the voice gets on.
fn feed_watchdog(speaker: Option<Speaker>, config: &Resolved) -> impl Future<Output = ()> + use<> {
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
fn tell_manager(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
