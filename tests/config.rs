//! The daemon's configuration: what is shipped is right, what is wrong is said with its line.

use std::path::{Path, PathBuf};

use fastglow::config::{Config, ConfigFile};
use proptest::prelude::*;

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config").join(name)
}

fn error(text: &str) -> String {
    let file = ConfigFile::parse(Path::new("a.toml"), text.into());
    file.and_then(|file| file.resolve()).unwrap_err().to_string()
}

/// The shipped file with every `#key = value` made to count.
fn uncommented() -> String {
    let text = std::fs::read_to_string(shipped("fastglow.toml")).unwrap();
    let is_key = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(" = ");
    let lines = text.lines().map(|line| line.strip_prefix('#').filter(|rest| is_key(rest)).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_file_has_every_key_at_its_default() {
    let text = uncommented();
    let mut expected = Config::default();
    if cfg!(not(feature = "device")) {
        expected.loudspeaker.sink = "device".into();
    }
    let path = shipped("fastglow.toml");
    assert_eq!(ConfigFile::parse(&path, text.clone()).unwrap().config, expected);
    assert_eq!(ConfigFile::read(&path).unwrap().config, Config::default());
    let keys = |table: &toml::Table| -> Vec<(String, Vec<String>)> {
        let section = |value: &toml::Value| value.as_table().unwrap().keys().cloned().collect();
        table.iter().map(|(name, value)| (name.clone(), section(value))).collect()
    };
    let (mut there, mut wanted) =
        (keys(&text.parse().unwrap()), keys(&toml::Table::try_from(expected).unwrap()));
    for (_, keys) in there.iter_mut().chain(&mut wanted) {
        keys.sort();
    }
    there.sort();
    wanted.sort();
    assert_eq!(there, wanted);
}

#[test]
fn every_board_loads_resolves_and_says_whether_it_was_run() {
    let boards: Vec<_> = shipped("boards").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(boards.len(), 7);
    for board in boards {
        let resolved = ConfigFile::read(&board).unwrap().resolve().unwrap();
        assert!(resolved.threads.is_some() && resolved.loudspeaker.is_some(), "{}", board.display());
        assert!(std::fs::read_to_string(&board).unwrap().contains("Not run on this board"));
    }
}

#[test]
fn the_broken_file_is_refused_with_line_column_and_what_was_meant() {
    let path = shipped("broken.toml");
    let error = ConfigFile::read(&path).unwrap_err();
    let message = error.to_string();
    let place = format!("{}:4:1: unknown field `volume_dB`, expected one of `sink`, ", path.display());
    assert!(message.starts_with(&place), "{message}");
    assert_eq!(error.hint().as_deref(), Some("did you mean `volume_db`?"));
}

#[test]
fn a_value_that_is_out_of_range_is_told_with_its_line() {
    assert_eq!(
        error("\n[loudspeaker]\nring_ms = 5\n"),
        "a.toml:3: loudspeaker.ring_ms: expected 20 to 10000, got 5"
    );
    assert_eq!(error("limits.connections = 0"), "a.toml:1: limits.connections: expected 1 to 4096, got 0");
    assert_eq!(error("[speech]\nrate = nan"), "a.toml:2: speech.rate: expected 0.5 to 2, got NaN");
    assert!(error("[loudspeaker]\nsink = \"horn\"").ends_with("expected `device`, `null` or `none`"));
    assert!(error("[journal]\nlevel = \"loud\"").starts_with("a.toml:2: journal.level: expected `error`"));
    assert!(error("[speech]\nrate = \"fast\"").starts_with("a.toml:2:8: invalid type: string \"fast\""));
    assert!(error("[speech\n").starts_with("a.toml:1:"));
}

#[test]
fn other_machines_need_a_token() {
    assert!(error("[http]\naddress = \"0.0.0.0:80\"").starts_with("a.toml:2: http.address: other machines"));
    assert!(error("[wyoming]\naddress = \"[::]:10200\"").starts_with("a.toml:2: wyoming.address:"));
    assert!(error("[http]\naddress = \"localhost\"").contains("as `127.0.0.1:8080`"));
    let folder = tempfile::tempdir().unwrap();
    let resolve = |token: &str| {
        std::fs::write(folder.path().join("token"), token).unwrap();
        let text = "[http]\naddress = \"0.0.0.0:80\"\ntoken_file = \"token\"\n";
        ConfigFile::parse(&folder.path().join("a.toml"), text.into()).unwrap().resolve()
    };
    assert!(resolve("0123456789abcdef\n").unwrap().http_token.is_some());
    let short = resolve("short").unwrap_err().to_string();
    assert!(short.contains("expected 16 to 256 letters") && !short.contains("short"), "{short}");
    assert!(resolve("0123456789 abcdef").is_err());
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "\\PC{0,200}|(\\[[a-z]{1,11}\\]\n)?[a-z_]{1,20} ?= ?[-\"0-9a-z.]{0,12}") {
        if let Ok(file) = ConfigFile::parse(Path::new("a.toml"), text) {
            let _ = file.resolve().map_err(|error| error.to_string());
        }
    }

    #[test]
    fn random_bytes_are_no_configuration(bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, &bytes).unwrap();
        if let Err(error) = ConfigFile::read(&path) {
            prop_assert!(error.to_string().starts_with(&path.display().to_string()));
        }
    }
}
