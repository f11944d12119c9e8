//! The larger golden set, which lies outside the repository: in the folder `FASTGLOW_GOLDENS`, or `../shared/goldens`
//! beside the checkout. Small committed fixtures test the same layouts without it.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

/// A file of the set. `None`, loudly, where it is absent: the calling test has then not run.
pub fn file(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/goldens");
    let path = std::env::var_os("FASTGLOW_GOLDENS").map_or(beside, PathBuf::from).join(name);
    if path.is_file() {
        return Some(path);
    }
    not_run(&format!("{} is absent; set FASTGLOW_GOLDENS to the golden set's folder", path.display()));
    None
}

/// Says that the calling test cannot run here. Not by `eprintln!`, which the test harness keeps to itself when a test
/// passes.
pub fn not_run(why: &str) {
    let thread = std::thread::current();
    let line = format!("\n*** NOT RUN: {}: {why} ***\n", thread.name().unwrap_or("a test"));
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The parts of a file made by `make_published_references.py`: the weights by their published names, and the arrays.
pub fn published_parts(path: &Path) -> (HashMap<String, Tensor>, HashMap<String, Tensor>) {
    let (mut weights, mut arrays) = (HashMap::new(), HashMap::new());
    for (name, tensor) in candle_core::safetensors::load(path, &Device::Cpu).unwrap() {
        match name.strip_prefix("model.") {
            Some(name) => weights.insert(name.to_owned(), tensor),
            None => arrays.insert(name, tensor),
        };
    }
    (weights, arrays)
}
