//! The published acoustic models: a padded batch and its sentences alone, under each setting of the controls.

use candle_core::{Device, Tensor};

use super::Measure;
use super::arrays::{Arrays, EXACT, USUAL};
use crate::Result;
use crate::acoustic::{Dropout, FastSpeech, PublishedControls, Tokens};

/// Durations are whole numbers times a factor.
const DURATIONS: (Measure, f64) = (Measure::OfLargest, 1e-6);

pub fn is_set(arrays: &Arrays) -> bool {
    arrays.names().any(|name| name == "ids_batch" || name.starts_with("ids_single"))
}

pub fn compare(model: &FastSpeech, arrays: &mut Arrays) -> Result<()> {
    let controls = controls(arrays)?;
    if let (Some(ids), Some(lengths)) = (arrays.get("ids_batch")?, arrays.values("src_lens")?) {
        let rows: Vec<Vec<u32>> = ids
            .to_vec2::<f32>()?
            .into_iter()
            .zip(lengths)
            .map(|(row, length)| row.into_iter().take(length as usize).map(|id| id as u32).collect())
            .collect();
        let tokens = Tokens::from_ids(&rows, &Device::Cpu)?;
        if arrays.contains("encoder_output_batch") {
            let encoded = model.encode(&tokens, &Dropout::off())?;
            arrays.compare("encoder_output_batch", &encoded.output, USUAL)?;
        }
        for (case, controls) in &controls {
            compare_case(model, arrays, (&format!("batch_{case}"), false), &rows, controls)?;
        }
    }
    let singles: Vec<String> = arrays
        .names()
        .filter_map(|name| name.strip_prefix("ids_"))
        .filter(|n| *n != "batch")
        .map(str::to_owned)
        .collect();
    for single in singles {
        let Some(ids) = arrays.values(&format!("ids_{single}"))? else { continue };
        let rows = [ids.into_iter().map(|id| id as u32).collect()];
        for (case, controls) in &controls {
            compare_case(model, arrays, (&format!("{single}_{case}"), true), &rows, controls)?;
        }
    }
    Ok(())
}

/// The settings of pitch, energy and duration, by name. The published code has no use for the second.
fn controls(arrays: &mut Arrays) -> Result<Vec<(String, PublishedControls)>> {
    let names: Vec<String> =
        arrays.names().filter_map(|name| name.strip_prefix("controls_")).map(str::to_owned).collect();
    let mut controls = Vec::new();
    for name in names {
        if let Some(&[pitch, _, duration]) = arrays.values(&format!("controls_{name}"))?.as_deref() {
            controls.push((name, PublishedControls { pitch, duration, speaker: 0 }));
        }
    }
    if controls.is_empty() {
        // Noted as missing.
        arrays.get("controls_c1")?;
    }
    Ok(controls)
}

/// All outputs of one run. A sentence alone is stored without its batch dimension.
fn compare_case(
    model: &FastSpeech,
    arrays: &mut Arrays,
    (case, is_single): (&str, bool),
    rows: &[Vec<u32>],
    controls: &PublishedControls,
) -> Result<()> {
    if !arrays.names().any(|name| name.starts_with(&format!("{case}_"))) {
        return Ok(arrays.get(&format!("{case}_mel_after")).map(drop)?);
    }
    let output = model.infer_ids(rows, controls)?;
    let lengths: Vec<f32> = output.lengths_frames.iter().map(|&frames| frames as f32).collect();
    arrays.compare_values(&format!("{case}_mel_lens"), &lengths, EXACT)?;
    arrays.compare_values(
        &format!("{case}_duration_rounded"),
        &output.durations_rounded.concat(),
        DURATIONS,
    )?;
    for (name, tensor) in [
        ("log_duration", Some(&output.log_durations)),
        ("pitch", output.pitch.as_ref()),
        ("energy", output.energy.as_ref()),
        ("mel_before", Some(&output.mel_before)),
        ("mel_after", Some(&output.mel_after)),
    ] {
        let Some(tensor) = tensor else { continue };
        let tensor = if is_single { tensor.squeeze(0)? } else { tensor.clone() };
        arrays.compare(&format!("{case}_{name}"), &tensor, USUAL)?;
    }
    let tokens: Vec<usize> = rows.iter().map(Vec::len).collect();
    for (name, lengths) in [("src_mask", &tokens), ("mel_mask", &output.lengths_frames)] {
        let name = format!("{case}_{name}");
        // Only batches have masks, and not every file keeps them.
        if arrays.contains(&name) {
            arrays.compare(&name, &mask(lengths)?, EXACT)?;
        }
    }
    Ok(())
}

/// 1 where a row is padding.
fn mask(lengths: &[usize]) -> candle_core::Result<Tensor> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let row = |&length: &usize| (0..longest).map(move |at| if at < length { 0f32 } else { 1.0 });
    Tensor::from_vec(lengths.iter().flat_map(row).collect(), (lengths.len(), longest), &Device::Cpu)
}
