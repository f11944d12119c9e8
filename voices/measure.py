#!/usr/bin/env python3
"""Judges WAV files from outside: word error rate by pocketsphinx, quality by DNSMOS.

    python3 -m venv venv && venv/bin/pip install pocketsphinx numpy soundfile librosa speechmos onnxruntime
    fastglow train evaluate voices/evaluation.txt -o judged
    venv/bin/python voices/measure.py voices/evaluation.txt judged/teacher judged/copy judged/speech

Each folder holds 00000.wav, 00001.wav … , one for each line of the text.
"""
import pathlib
import re
import sys

import librosa
import numpy
import soundfile
from pocketsphinx import Decoder
from speechmos import dnsmos

RATE_HZ = 16_000


def load(path, peak):
    samples, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
    samples = librosa.resample(samples.mean(axis=1), orig_sr=rate_hz, target_sr=RATE_HZ)
    return samples * peak / max(numpy.abs(samples).max(), 1e-9)


def words(text):
    return re.sub(r"[^a-z' ]", " ", text.lower()).split()


def edits(want, got):
    """Levenshtein distance between word lists."""
    row = list(range(len(got) + 1))
    for i, w in enumerate(want, 1):
        corner, row[0] = row[0], i
        for j, g in enumerate(got, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (w != g))
    return row[-1]


def recognise(decoder, samples):
    hiss = numpy.random.default_rng(0).normal(0, 1e-4, int(0.3 * RATE_HZ))
    pcm = (numpy.concatenate([hiss, samples, hiss]) * 32767).astype(numpy.int16)
    decoder.start_utt()
    decoder.process_raw(pcm.tobytes(), full_utt=True)
    decoder.end_utt()
    return decoder.hyp().hypstr if decoder.hyp() else ""


def main(texts, folders):
    texts = [line.strip() for line in open(texts) if line.strip()]
    decoder = Decoder(samprate=RATE_HZ, loglevel="FATAL")
    print(f"{'folder':<24} {'WER':>6} {'p808':>6} {'ovrl':>6} {'sig':>6} {'bak':>6}")
    for folder in map(pathlib.Path, folders):
        wrong = total = 0
        scores = []
        for index, text in enumerate(texts):
            path = folder / f"{index:05}.wav"
            want = words(text)
            wrong += edits(want, words(recognise(decoder, load(path, 0.6))))
            total += len(want)
            judged = dnsmos.run(load(path, 0.7).astype(numpy.float32), RATE_HZ)
            scores.append([judged[f"{name}_mos"] for name in ("p808", "ovrl", "sig", "bak")])
        mean = numpy.mean(scores, axis=0)
        print(f"{folder.name:<24} {wrong / total:6.3f} " + " ".join(f"{x:6.2f}" for x in mean))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
