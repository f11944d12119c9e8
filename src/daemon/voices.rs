//! The voices that the daemon has at hand, by name.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use candle_core::Device;
use serde::Serialize;

use super::lexicon::Lexicon;
use crate::engine::Synthesizer;
use crate::voice::{Meta, SearchPath, Source, Voice, VoiceError};
use crate::{Error, Result};

/// Loads voices when they are first asked for, and again when they have changed.
#[derive(Default)]
pub struct Voices {
    search: SearchPath,
    default_name: String,
    most_loaded: usize,
    /// What vocoders compute on; `None` for the processor.
    device: Option<Device>,
    lexicon: Lexicon,
    loaded: Mutex<BTreeMap<String, Loaded>>,
    /// What the voices say about themselves, of those that were asked for.
    metas: Mutex<BTreeMap<String, Meta>>,
}

struct Loaded {
    synthesizer: Synthesizer,
    /// As it was when it was read; `None` for one in the program.
    file: Option<FileState>,
}

/// Tells a file from the one that has replaced it.
type FileState = (SystemTime, u64);

fn state(source: &Source) -> Option<FileState> {
    let Source::File(path) = source else { return None };
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// What clients are told of a voice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoiceCard {
    /// The name to ask for.
    pub name: String,
    /// Whether it speaks when none is named.
    pub is_default: bool,
    /// Whether it is loaded.
    pub is_loaded: bool,
}

impl Voices {
    /// Voices of these folders; at most so many are kept in memory, at least 1.
    pub fn new(search: SearchPath, default_name: impl Into<String>, most_loaded: usize) -> Self {
        let default_name = default_name.into();
        Self { search, default_name, most_loaded: most_loaded.max(1), ..Self::default() }
    }

    /// The same voices with the user's own pronunciations.
    pub fn with_lexicon(self, lexicon: Lexicon) -> Self {
        Self { lexicon, ..self }
    }

    /// The same voices with their vocoders on this device.
    pub fn on(self, device: Device) -> Self {
        Self { device: Some(device), ..self }
    }

    /// The user's own pronunciations, of all voices.
    pub fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    fn loaded(&self) -> MutexGuard<'_, BTreeMap<String, Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The voice of this name, or the default one. Loads it at the first time, which takes a tenth of a second: not for
    /// an async thread. A client's path never reaches the file system: only names that [`Voices::cards`] lists are found.
    ///
    /// # Errors
    /// There is no such voice, or its file is damaged.
    pub fn get(&self, name: Option<&str>) -> Result<Synthesizer> {
        let name = name.unwrap_or(&self.default_name);
        if let Some(voice) = self.loaded().get(name) {
            return Ok(voice.synthesizer.clone());
        }
        let voice = self.load(&self.source(name)?)?;
        let synthesizer = voice.synthesizer.clone();
        let mut loaded = self.loaded();
        while loaded.len() >= self.most_loaded {
            // Whoever speaks with it keeps it until the end.
            let Some(other) = loaded.keys().find(|other| **other != self.default_name).cloned() else {
                break;
            };
            loaded.remove(&other);
        }
        loaded.insert(name.to_owned(), voice);
        Ok(synthesizer)
    }

    fn load(&self, source: &Source) -> Result<Loaded> {
        // Before it is read: one that is replaced meanwhile is read again.
        let file = state(source);
        let device = self.device.as_ref().unwrap_or(&Device::Cpu);
        let synthesizer = Synthesizer::load_on(source, self.lexicon.words().clone(), device)?;
        Ok(Loaded { synthesizer, file })
    }

    /// What a voice says about itself, without making its models. Reads its file at the first time: not for an async
    /// thread.
    ///
    /// # Errors
    /// As [`Voices::get`].
    pub fn meta(&self, name: &str) -> Result<Meta> {
        let metas = || self.metas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meta) = metas().get(name) {
            return Ok(meta.clone());
        }
        let meta = Voice::load(&self.source(name)?)?.meta().clone();
        metas().insert(name.to_owned(), meta.clone());
        Ok(meta)
    }

    fn source(&self, name: &str) -> Result<Source> {
        let found = self.search.list().into_iter().find(|found| found.name == name);
        let missing = || VoiceError::NotFound { name: name.into(), searched: Vec::new() };
        Ok(found.ok_or_else(missing)?.source)
    }

    /// All voices there are.
    pub fn cards(&self) -> Vec<VoiceCard> {
        let loaded = self.loaded();
        let card = |found: crate::voice::Found| VoiceCard {
            is_default: found.name == self.default_name,
            is_loaded: loaded.contains_key(&found.name),
            name: found.name,
        };
        self.search.list().into_iter().map(card).collect()
    }

    /// All voices and what they say about themselves, the default one first. A damaged one, which cannot speak, is left
    /// out. Not for an async thread.
    pub fn described(&self) -> Vec<(VoiceCard, Meta)> {
        let mut cards = self.cards();
        cards.sort_by_key(|card| !card.is_default);
        let described = cards.into_iter().filter_map(|card| {
            let meta = self.meta(&card.name);
            let meta =
                meta.inspect_err(|error| tracing::warn!(voice = card.name, %error, "left out")).ok()?;
            Some((card, meta))
        });
        described.collect()
    }

    /// The name of the first voice that speaks a language, given as `en`, `en-US` or `en_GB`: any of its regions will do.
    /// Not for an async thread.
    pub fn speaking(&self, language: &str) -> Option<String> {
        let speaks = |meta: &Meta| is_same_language(&meta.language, language);
        self.described().into_iter().find(|(_, meta)| speaks(meta)).map(|(card, _)| card.name)
    }

    /// Loads again what is loaded, for the speech that begins from now on. A voice that cannot be loaded stays as it was,
    /// and is told with the reason.
    pub fn reload(&self) -> Vec<(String, Error)> {
        self.reload_where(|_, _| true).1
    }

    /// The same of those whose files were replaced: the names of the new ones, and what failed, which is not tried again
    /// before it changes once more.
    pub fn reload_replaced(&self) -> (Vec<String>, Vec<(String, Error)>) {
        self.reload_where(|before, now| before.is_some() && now.is_some() && before != now)
    }

    fn reload_where(
        &self,
        is_meant: impl Fn(Option<FileState>, Option<FileState>) -> bool,
    ) -> (Vec<String>, Vec<(String, Error)>) {
        let loaded: Vec<_> = self.loaded().iter().map(|(name, voice)| (name.clone(), voice.file)).collect();
        let (mut new, mut failed) = (Vec::new(), Vec::new());
        for (name, before) in loaded {
            let source = match self.source(&name) {
                Ok(source) => source,
                Err(error) if is_meant(before, None) => {
                    failed.push((name, error));
                    continue;
                }
                Err(_) => continue,
            };
            let now = state(&source);
            if !is_meant(before, now) {
                continue;
            }
            self.metas.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            match self.load(&source) {
                Ok(voice) => {
                    self.loaded().insert(name.clone(), voice);
                    new.push(name);
                }
                Err(error) => {
                    if let Some(voice) = self.loaded().get_mut(&name) {
                        voice.file = now;
                    }
                    failed.push((name, error));
                }
            }
        }
        (new, failed)
    }
}

/// Compares what stands before the region.
pub(super) fn is_same_language(one: &str, other: &str) -> bool {
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    primary(one) == primary(other)
}
