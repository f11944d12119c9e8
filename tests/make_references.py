#!/usr/bin/env python3
"""Makes the reference values of tests/signal.rs: tests/data/speech.wav and tests/data/signal.safetensors.

The speech is Debian's festival with festvox-us-slt-hts; the values come from librosa (mel), parselmouth (pitch) and numpy
(excitation, written from its definition: a plain sum of cosines, a low-pass at every sample). Run from the repository root:

    python3 tests/make_references.py

Made with: python 3.11.7, numpy 2.4.6, scipy 1.17.1, librosa 0.11.0, praat-parselmouth 0.4.7, soundfile 0.14.0, safetensors 0.8.0.
Nothing here is random.
"""
import importlib.metadata
import pathlib
import platform
import subprocess
import tempfile

import librosa
import numpy as np
import parselmouth
import scipy.signal
import soundfile
from safetensors.numpy import save_file

DATA = pathlib.Path(__file__).parent / "data"
RATE, HOP = 22050, 256
TEXT = "Is this your measuring tape? Yes, it's mine!"
# The excitation is stored for this part only, to keep the file small.
EXCITATION_SAMPLES = slice(40 * HOP, 84 * HOP)


def speech():
    """The sentence as 16 bit samples at 22,050 Hz, cut to whole frames, from the file once it is there."""
    path = DATA / "speech.wav"
    if not path.exists():
        with tempfile.TemporaryDirectory() as work:
            script = f'''(voice_cmu_us_slt_arctic_hts) (set! u (Utterance Text "{TEXT}"))
                         (utt.synth u) (utt.save.wave u "speech.wav" 'riff)'''
            (pathlib.Path(work) / "speech.scm").write_text(script)
            subprocess.run(["festival", "--batch", "speech.scm"], cwd=work, check=True)
            samples, rate = soundfile.read(pathlib.Path(work) / "speech.wav")
        samples = librosa.resample(samples, orig_sr=rate, target_sr=RATE)
        samples = samples[: len(samples) // HOP * HOP]
        soundfile.write(path, samples, RATE, subtype="PCM_16")
    return soundfile.read(path)[0]


def log_mel(samples):
    """[80, frames], as published: reflected by half a window, magnitudes, Slaney mels to 8 kHz, ln clamped at 1e-5."""
    padded = np.pad(samples, 512, mode="reflect")
    magnitude = np.abs(librosa.stft(padded, n_fft=1024, hop_length=HOP, win_length=1024, center=False))
    filters = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=80, fmin=0, fmax=8000)
    return np.log(np.maximum(filters @ magnitude, 1e-5))


def pitch(samples, frame_count):
    """F0 in Hz at each frame's instant, 0 where unvoiced."""
    track = parselmouth.Sound(samples, RATE).to_pitch_ac(time_step=HOP / RATE, pitch_floor=70, pitch_ceiling=450)
    return np.array([np.nan_to_num(track.get_value_at_time(t * HOP / RATE)) for t in range(frame_count)])


def excitation(f0, voicing, samples=None):
    """The pulse train for frame tracks; aligned to `samples` if given."""
    count = len(f0) * HOP
    place = np.arange(count) / HOP
    hz = np.interp(place, np.arange(len(f0)), f0)
    following = np.append(voicing[1:], voicing[-1])
    fade = 0.5 - 0.5 * np.cos(np.pi * np.clip((place % 1 - 0.25) * 2, 0, 1))
    gain = np.repeat(voicing, HOP) + np.repeat(following - voicing, HOP) * fade
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    if samples is not None:
        half = int(RATE * 0.025 / 2)
        window = np.hanning(2 * half + 1)
        low = scipy.signal.fftconvolve(samples * np.exp(-1j * phase), window, "same")
        phase = phase + np.unwrap(np.angle(low))
    harmonics = np.floor(RATE / 2 / hz)
    total = np.zeros(count)
    for k in range(1, int(harmonics.max()) + 1):
        total += np.where(k <= harmonics, np.cos(k * phase), 0)
    return gain * np.sqrt(2 / harmonics) * total


def main():
    DATA.mkdir(exist_ok=True)
    samples = speech()
    frame_count = len(samples) // HOP
    f0 = pitch(samples, frame_count)
    voicing = (f0 > 0).astype(float)
    continuous = np.exp(np.interp(np.arange(frame_count), np.flatnonzero(f0), np.log(f0[f0 > 0])))
    # What the test feeds in is rounded to 32 bits, so the reference starts from that.
    log_f0 = np.log(continuous).astype(np.float32)
    continuous = np.exp(log_f0.astype(float))
    arrays = {
        "log_mel": log_mel(samples)[:, :90],
        "f0_hz": f0,
        "log_f0": log_f0,
        "excitation": excitation(continuous, voicing)[EXCITATION_SAMPLES],
        "aligned_excitation": excitation(continuous, voicing, samples)[EXCITATION_SAMPLES],
    }
    save_file({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, DATA / "signal.safetensors")
    names = ["numpy", "scipy", "librosa", "praat-parselmouth", "soundfile", "safetensors"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    print(f"python {platform.python_version()}, {versions}; {frame_count} frames, {int(voicing.sum())} voiced")


if __name__ == "__main__":
    main()
