//! What the audio thread may not do, and what a hostile file may not cost, counted by the allocator itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;

use fastglow::audio::capture::capture_ring;
use fastglow::audio::playback::Playback;
use fastglow::audio::ring::ring;
use fastglow::voice::{Source, Voice};

struct Counting;

thread_local! {
    /// Calls, and the largest number of bytes asked for at once, on this thread.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    // During a thread's end the counters are gone; nothing is measured then.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// The one place outside the library where a trait leaves no choice.
#[allow(unsafe_code)]
// SAFETY: every call is handed to the system's allocator unchanged; counting touches only this thread's own cells,
// which need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocator calls, and the largest request in bytes, while `work` runs.
fn measured<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    CALLS.with(|calls| calls.set(0));
    LARGEST.with(|largest| largest.set(0));
    let result = work();
    (CALLS.with(Cell::get), LARGEST.with(Cell::get), result)
}

#[test]
fn the_counter_counts() {
    let (calls, largest, kept) = measured(|| vec![1u8; 12_345]);
    assert!(calls >= 1 && largest == 12_345, "{calls} calls, {largest} bytes");
    drop(kept);
}

#[test]
fn the_device_callback_never_allocates() {
    let (mut writer, reader) = ring(4096);
    let mut playback = Playback::new(reader.with_prefill(40), 48_000, 2);
    let dial = writer.dial();
    let mut out = vec![0i16; 2 * 1024];
    let to_i16 = |sample: f32| (sample * 32767.0) as i16;
    let samples = [0.25; 4096];
    let (calls, _, _) = measured(|| {
        // Empty, full, partial, dry in mid-speech, resumed, at rest, and buffers of odd sizes.
        playback.run(&mut out, to_i16);
        writer.push(&samples);
        for size in [2, 2046, 2048, 2048, 2048] {
            playback.run(&mut out[..size], to_i16);
        }
        writer.push(&samples[..100]);
        playback.run(&mut out, to_i16);
        writer.rest_after(50);
        writer.push(&samples[..50]);
        playback.run(&mut out, to_i16);
        // Volume, pause, resume, a stop that takes several callbacks to fade, a stop while empty, too little to begin.
        writer.push(&samples[..2000]);
        playback.run(&mut out, to_i16);
        dial.set_volume(0.1);
        dial.set_paused(true);
        playback.run(&mut out, to_i16);
        dial.set_paused(false);
        playback.run(&mut out[..400], to_i16);
        writer.flush();
        writer.push(&samples[..1000]);
        for size in [100, 100, 1000] {
            playback.run(&mut out[..size], to_i16);
        }
        writer.flush();
        writer.flush();
        playback.run(&mut out, to_i16);
        writer.push(&samples[..30]);
        playback.run(&mut out, to_i16);
    });
    assert_eq!(calls, 0);
    assert!(writer.played_samples() > 4096 && !writer.has_void_samples(), "the stops were part of it");
    assert!(writer.underruns() > 0, "the gap in mid-speech was part of it");
}

#[test]
fn the_microphone_s_callback_never_allocates() {
    let (mut intake, mut tape) = capture_ring(4096, 2);
    let input = vec![8192i16; 2 * 3000];
    let from_i16 = |sample: i16| f32::from(sample) / 32768.0;
    let mut heard = Vec::with_capacity(10_000);
    let (calls, _, _) = measured(|| {
        // Nothing, one frame, odd sizes, a ring that overflows, one that was read meanwhile.
        for size in [0, 2, 1022, 6000] {
            intake.run(&input[..size], from_i16);
        }
        intake.run(&input, from_i16);
        tape.read(&mut heard);
        intake.run(&input, from_i16);
        tape.read(&mut heard);
    });
    assert_eq!(calls, 0);
    assert_eq!((heard.len(), heard[0]), (4096 + 3000, 0.25));
    assert_eq!(tape.lost_samples(), 1 + 511 + 3000 + 3000 - 4096, "the overflow was part of it");
}

#[test]
fn a_hostile_size_costs_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.gguf");
    // A header that claims absurd things, in files of holes that seem to have the bytes.
    let claims: [&[u64]; 4] = [
        &[u64::MAX, 1],             // tensors
        &[1, u64::MAX],             // metadata entries
        &[1, 1, 300 << 20],         // a key of 300 MiB
        &[4000, 0, 1 << 60, 1, 77], // a tensor name without end
    ];
    for claim in claims {
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"GGUF\x03\0\0\0").unwrap();
        for number in claim {
            file.write_all(&number.to_le_bytes()).unwrap();
        }
        for file_bytes in [400 << 20, 1 << 40] {
            file.set_len(file_bytes).unwrap();
            let (_, largest, result) = measured(|| Voice::load(&Source::File(path.clone())));
            assert!(result.is_err());
            // The header, read in doubling steps.
            assert!(largest <= 8 << 20, "{claim:?}: {largest} bytes at once");
        }
    }
}
