//! `fastglow devices`

use std::io::{self, Write};

use clap::Args;
use fastglow::audio::{DeviceInfo, devices, microphones};
use serde_json::json;

use super::failure::{Failure, warn};

#[derive(Debug, Args)]
pub struct Arguments {
    /// As a JSON array.
    #[arg(long)]
    json: bool,
    /// List the microphones instead.
    #[arg(long)]
    microphones: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let devices = if arguments.microphones { microphones()? } else { devices()? };
    if devices.is_empty() && arguments.microphones {
        warn("there is no microphone, or this user may not use it");
        eprintln!("\nhint: see `arecord -l`; is this user in the `audio` group?");
    } else if devices.is_empty() {
        warn("there is no sound card, or this user may not use it");
        eprintln!(
            "\nhint: see `aplay -l`; is this user in the `audio` group? `fastglow speak -o speech.wav` needs none"
        );
    }
    let text = if arguments.json { as_json(&devices) } else { as_table(&devices) };
    let written = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    written.map_err(|source| Failure::Io { what: "standard output", source })
}

fn as_table(devices: &[DeviceInfo]) -> String {
    let width = devices.iter().map(|device| device.name.chars().count()).max().unwrap_or(0);
    let row = |device: &DeviceInfo| {
        let mark = if device.is_default { "*" } else { " " };
        format!("{mark} {:<width$}  {}\n", device.name, device.description)
    };
    devices.iter().map(row).collect()
}

fn as_json(devices: &[DeviceInfo]) -> String {
    let object = |device: &DeviceInfo| json!({ "name": device.name, "description": device.description, "default": device.is_default });
    format!("{:#}\n", devices.iter().map(object).collect::<serde_json::Value>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_aligned_and_the_default_is_marked() {
        let device = |name: &str, is_default| DeviceInfo {
            name: name.into(),
            description: "a card".into(),
            is_default,
        };
        let devices = [device("default", true), device("hw:0", false)];
        assert_eq!(as_table(&devices), "* default  a card\n  hw:0     a card\n");
        let parsed: serde_json::Value = serde_json::from_str(&as_json(&devices)).unwrap();
        assert_eq!((&parsed[1]["name"], &parsed[0]["default"]), (&json!("hw:0"), &json!(true)));
        assert_eq!((as_table(&[]), as_json(&[])), (String::new(), "[]\n".into()));
    }
}
