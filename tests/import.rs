//! PyTorch checkpoints, read without PyTorch.

use std::collections::HashMap;
use std::path::Path;

use candle_core::Tensor;
use fastglow::import::*;

use crate::goldens;

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The file's own model, without what leads to it and the optimizer.
fn model(file: &Path, prefix: &str) -> HashMap<String, Tensor> {
    let checkpoint = Checkpoint::open(file).unwrap();
    let names = checkpoint.tensors().keys().filter_map(|name| Some((name.strip_prefix(prefix)?, name)));
    names.map(|(short, name)| (short.to_owned(), checkpoint.read(name).unwrap())).collect()
}

#[test]
fn the_three_layouts_of_one_model_hold_the_same_weights() {
    let files = ["waveglow_classic_legacy.pt", "waveglow_classic_zip.pt", "waveglow_ngc_statedict.pt"];
    let [Some(legacy), Some(zip), Some(ngc)] = files.map(goldens::file) else { return };
    let (legacy, zip) = (model(&legacy, "model."), model(&zip, "model."));
    let ngc = model(&ngc, "state_dict.module.");
    // Twelve flows of 57 tensors, and the upsampler's two.
    assert_eq!((legacy.len(), zip.len()), (686, 686));
    for (name, tensor) in &legacy {
        assert_eq!(tensor.dims(), zip[name].dims(), "{name}");
        assert_eq!(values(tensor), values(&zip[name]), "{name}");
        match name.split_once(".cond_layer.") {
            None => assert_eq!(values(tensor), values(&ngc[name]), "{name}"),
            Some((flow, part)) => {
                let rows: Vec<f32> =
                    (0..8).flat_map(|i| values(&ngc[&format!("{flow}.cond_layers.{i}.{part}")])).collect();
                assert_eq!(values(tensor), rows, "{name}");
            }
        }
    }
}

#[test]
fn stale_weights_of_a_module_are_told_apart() {
    let Some(file) = goldens::file("waveglow_classic_legacy.pt") else { return };
    let checkpoint = Checkpoint::open(&file).unwrap();
    assert!(checkpoint.attributes().contains(&"model.WN.0.start.weight".to_owned()));
    assert!(checkpoint.tensors().contains_key("model.WN.0.start.weight_v"));
    assert!(!checkpoint.tensors().contains_key("model.WN.0.start.weight"));
}

#[test]
fn values_are_those_that_candle_reads() {
    let Some(file) = goldens::file("fastspeech2_ckpt.pth.tar") else { return };
    let ours = model(&file, "model.");
    let theirs = candle_core::pickle::read_all_with_key(&file, Some("model")).unwrap();
    assert!(theirs.len() > 200);
    for (name, tensor) in theirs {
        let tensor = tensor.contiguous().unwrap().to_dtype(candle_core::DType::F32).unwrap();
        assert_eq!(ours[&name].dims(), tensor.dims(), "{name}");
        assert_eq!(values(&ours[&name]), values(&tensor), "{name}");
    }
}

/// A file of the old kind with one tensor `w` of two by three, column-major: 0 1 2 3 4 5 in the storage.
fn legacy_file() -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
    file.extend(b"\x80\x02M\xe9\x03.");
    file.extend(b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.");
    file.extend(b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n");
    file.extend(
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x007X\x03\x00\x00\x00cpuK\x06NtQ",
    );
    file.extend(b"K\x00K\x02K\x03\x86K\x01K\x02\x86\x89}tRs.");
    file.extend(b"\x80\x02]X\x01\x00\x00\x007a.");
    file.extend(6u64.to_le_bytes());
    file.extend((0..6).flat_map(|i| (i as f32).to_le_bytes()));
    file
}

fn open(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    std::fs::write(&path, bytes).unwrap();
    Checkpoint::open(&path)
}

#[test]
fn column_major_tensors_are_turned() {
    let tensor = open(&legacy_file()).unwrap().read("w").unwrap();
    assert_eq!(tensor.to_vec2::<f32>().unwrap(), [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]);
}

#[test]
fn a_file_that_ends_anywhere_too_early_is_refused() {
    let file = legacy_file();
    for length in 0..file.len() {
        assert!(open(&file[..length]).is_err(), "{length} of {} bytes", file.len());
    }
}

/// Any byte may be wrong: the answer is a tensor or an error, and it comes at once.
#[test]
fn a_file_with_a_wrong_byte_neither_panics_nor_allocates_what_it_claims() {
    let file = legacy_file();
    for at in 0..file.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[at] ^= flip;
            if let Ok(checkpoint) = open(&damaged) {
                for name in checkpoint.tensors().keys() {
                    if let Ok(tensor) = checkpoint.read(name) {
                        assert!(tensor.elem_count() <= 6, "byte {at}");
                    }
                }
            }
        }
    }
}

#[test]
fn hostile_pickles_are_refused_in_bounded_time_and_memory() {
    let nested: Vec<u8> = [b"\x80\x02".as_slice(), &vec![b']'; 2_000_000], b"."].concat();
    assert!(matches!(Pickle::read(&nested[..]), Err(PickleError::Limit { .. })), "depth");
    assert!(matches!(Pickle::read(&b"X\xff\xff\xff\x7fabc."[..]), Err(PickleError::Limit { .. })), "length");
    assert!(
        matches!(Pickle::read(&b"\x82\x01."[..]), Err(PickleError::Opcode { opcode: 0x82, .. })),
        "extension"
    );
    assert!(matches!(Pickle::read(&b"t."[..]), Err(PickleError::Malformed { .. })), "no mark");
    // A list that holds itself, and doubles at every step.
    let cycle = Pickle::read(&b"]q\x00h\x00h\x00e."[..]);
    assert!(matches!(cycle, Err(PickleError::Malformed { .. })));
    let cycle = Pickle::read(&b"]q\x00(h\x00h\x00e."[..]).unwrap();
    assert_eq!(*cycle.node(cycle.root()), Node::List(vec![0, 0]));
}

/// A zip archive of stored entries, as PyTorch writes them.
fn zip_file(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in entries {
        let header_at = file.len() as u32;
        let sizes = [0, content.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
        let lengths = [name.len() as u16, 0].map(u16::to_le_bytes).concat();
        let common = [[10u16, 0, 0, 0, 0].map(u16::to_le_bytes).concat(), sizes, lengths].concat();
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(*content);
        directory.extend(b"PK\x01\x02\x0a\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(header_at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let at = file.len() as u32;
    let count = (entries.len() as u16).to_le_bytes();
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].concat());
    file.extend([directory.len() as u32, at].map(u32::to_le_bytes).concat());
    file.extend([0, 0]);
    file
}

/// The same tensor as in [`legacy_file`].
fn archive_file() -> Vec<u8> {
    let pickle: Vec<u8> = [
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n".as_slice(),
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x007X\x03\x00\x00\x00cpuK\x06tQ",
        b"K\x00K\x02K\x03\x86K\x01K\x02\x86\x89}tRs.",
    ]
    .concat();
    let values: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    zip_file(&[("archive/data.pkl", &pickle), ("archive/data/7", &values), ("archive/version", b"3\n")])
}

fn safetensors_file() -> Vec<u8> {
    let table = br#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}       "#;
    let length = (table.len() as u64).to_le_bytes();
    [&length[..], table, &(0..6).flat_map(|i| (i as f32).to_le_bytes()).collect::<Vec<_>>()].concat()
}

/// Opens a file and reads all of it; more than what is in the file must not come out.
fn read_all(bytes: &[u8]) -> Result<(), CheckpointError> {
    let checkpoint = open(bytes)?;
    for name in checkpoint.tensors().keys() {
        let tensor = checkpoint.read(name)?;
        assert!(tensor.elem_count() <= bytes.len());
    }
    Ok(())
}

#[test]
fn all_three_containers_hold_the_tensor() {
    assert_eq!(values(&open(&archive_file()).unwrap().read("w").unwrap()), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    assert_eq!(
        values(&open(&safetensors_file()).unwrap().read("w").unwrap()),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    );
}

#[test]
fn archives_and_tables_that_end_too_early_or_have_a_wrong_byte_do_no_harm() {
    for file in [archive_file(), safetensors_file()] {
        for length in 0..file.len() {
            assert!(read_all(&file[..length]).is_err(), "{length} of {} bytes", file.len());
        }
        for at in 0..file.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= flip;
                let _ = read_all(&damaged);
            }
        }
    }
}

#[test]
fn archives_that_claim_the_impossible_are_refused() {
    let sound = archive_file();
    let find = |mark: &[u8]| sound.windows(mark.len()).position(|window| window == mark).unwrap();
    let (entry, end) = (find(b"PK\x01\x02"), find(b"PK\x05\x06"));
    let refused = |at: usize, bytes: &[u8], what: &str| {
        let mut file = sound.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        assert!(read_all(&file).is_err(), "{what}");
    };
    refused(entry + 10, &8u16.to_le_bytes(), "a deflated entry, which could be a bomb");
    refused(entry + 24, &u32::MAX.to_le_bytes(), "an entry of 4 GB");
    refused(entry + 42, &u32::MAX.to_le_bytes(), "an entry beyond the file");
    refused(end + 10, &u16::MAX.to_le_bytes(), "more entries than there are");
    refused(end + 12, &u32::MAX.to_le_bytes(), "a directory of 4 GB");
    refused(end + 16, &u32::MAX.to_le_bytes(), "a directory beyond the file");
    let mut table = safetensors_file();
    table[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(read_all(&table).is_err(), "a table of all memory");
    let huge = br#"{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,24]}}"#;
    let length = (huge.len() as u64).to_le_bytes();
    assert!(read_all(&[&length[..], huge, &[0; 24]].concat()).is_err(), "a shape that overflows");
}

/// Objects that hold themselves, so that their paths never end.
#[test]
fn cycles_end() {
    let wrap = |pickle: &[u8]| zip_file(&[("a/data.pkl", pickle)]);
    let twice: &[u8] = b"\x80\x02]q\x00(h\x00h\x00e.";
    assert!(open(&wrap(twice)).is_err(), "each step has twice the paths");
    let many = [b"\x80\x02]q\x00(".as_slice(), &b"h\x00".repeat(100_000), b"e."].concat();
    assert!(open(&wrap(&many)).is_err());
    let deep = [b"\x80\x02".as_slice(), &b"}X\x01\x00\x00\x00k".repeat(5000), b"N", &b"s".repeat(5000), b"."]
        .concat();
    assert!(open(&wrap(&deep)).is_err(), "5,000 dictionaries in each other");
}

#[test]
fn a_call_in_a_pickle_is_data() {
    let pickle = Pickle::read(&b"cos\nsystem\n(S'rm -rf /'\ntR."[..]).unwrap();
    let Node::Object(call) = pickle.node(pickle.root()) else { panic!("{:?}", pickle.node(pickle.root())) };
    assert_eq!(pickle.global(call.callable), Some(("os", "system")));
    assert_eq!(pickle.text(call.arguments[0]), Some("rm -rf /"));
}

proptest::proptest! {
    /// Bytes that mean nothing: no panic, no endless loop.
    #[test]
    fn any_bytes_are_a_pickle_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        if let Ok(pickle) = Pickle::read(&bytes[..]) {
            proptest::prop_assert!(pickle.nodes().len() <= bytes.len());
        }
    }

    /// A sound archive with a stretch of anything in it.
    #[test]
    fn a_damaged_archive_does_no_harm(
        at in 0usize..400,
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 1..24),
    ) {
        for mut file in [archive_file(), safetensors_file()] {
            let at = at % file.len();
            let end = (at + bytes.len()).min(file.len());
            file[at..end].copy_from_slice(&bytes[..end - at]);
            let _ = read_all(&file);
        }
    }

    /// Opcodes in any order, which get further than any bytes do.
    #[test]
    fn any_opcodes_are_a_pickle_or_an_error(picks in proptest::collection::vec(0usize..24, 0..200)) {
        const PIECES: [&[u8]; 24] = [
            b"(", b"]", b"}", b")", b"a", b"e", b"s", b"u", b"t", b"l", b"d", b"0", b"1", b"2", b"N", b"K\x01", b"q\x00",
            b"h\x00", b"ca\nb\n", b"R", b"b", b"Q", b"X\x01\x00\x00\x00k", b"\x85",
        ];
        let mut bytes: Vec<u8> = picks.iter().flat_map(|&i| PIECES[i]).copied().collect();
        bytes.push(b'.');
        drop(Pickle::read(&bytes[..]));
    }
}
