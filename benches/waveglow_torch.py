"""The published WaveGlow in PyTorch, as its authors run it, against `fastglow bench voice`, in turns on the same cores.

    python benches/waveglow_torch.py target/release/fastglow --threads 2

Both have random weights of the published size (88 million). PyTorch's figure is its inference, weight norm folded, gates
by a compiled kernel as published; ours is one window over the whole. Beside each are its bare matrix products. Needs torch.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import time

import torch
import torch.nn.functional as F

BANDS, HOP, KERNEL, GROUP, FLOWS, LAYERS, CHANNELS, RATE = 80, 256, 1024, 8, 12, 8, 256, 22050


@torch.jit.script
def gate(a: torch.Tensor, b: torch.Tensor, channels: int) -> torch.Tensor:
    both = a + b
    return torch.tanh(both[:, :channels]) * torch.sigmoid(both[:, channels:])


def conv(outputs, inputs, kernel=1):
    bound = 1 / math.sqrt(inputs * kernel)
    return (torch.empty(outputs, inputs, kernel).uniform_(-bound, bound), torch.zeros(outputs))


class Coupling:
    """Names as published: start, in_layers, cond_layer, res_skip_layers, end."""

    def __init__(self, channels):
        self.start = conv(CHANNELS, channels // 2)
        self.cond = conv(2 * CHANNELS * LAYERS, BANDS * GROUP)
        self.inner = [conv(2 * CHANNELS, CHANNELS, 3) for _ in range(LAYERS)]
        last = [2 * CHANNELS] * (LAYERS - 1) + [CHANNELS]
        self.res_skip = [conv(outputs, CHANNELS) for outputs in last]
        self.end = conv(channels, CHANNELS)

    def __call__(self, xs, mel):
        xs = F.conv1d(xs, *self.start)
        skip = torch.zeros_like(xs)
        mel = F.conv1d(mel, *self.cond)
        for i in range(LAYERS):
            inner = F.conv1d(xs, *self.inner[i], padding=2**i, dilation=2**i)
            acts = gate(inner, mel[:, i * 2 * CHANNELS : (i + 1) * 2 * CHANNELS], CHANNELS)
            out = F.conv1d(acts, *self.res_skip[i])
            if i < LAYERS - 1:
                xs = xs + out[:, :CHANNELS]
                skip = skip + out[:, CHANNELS:]
            else:
                skip = skip + out
        return F.conv1d(skip, *self.end)


class WaveGlow:
    def __init__(self):
        torch.manual_seed(1)
        self.upsample = (torch.randn(BANDS, BANDS, KERNEL) * 0.01, torch.zeros(BANDS))
        widths = [GROUP - 2 * (k // 4) for k in range(FLOWS)]
        self.couplings = [Coupling(width) for width in widths]
        self.inverses = [torch.linalg.qr(torch.randn(width, width))[0].unsqueeze(2).contiguous() for width in widths]

    @torch.inference_mode()
    def infer(self, mel, sigma=0.6):
        samples = F.conv_transpose1d(mel, *self.upsample, stride=HOP)[:, :, : -(KERNEL - HOP)]
        mel = samples.unfold(2, GROUP, GROUP).permute(0, 2, 1, 3)
        mel = mel.contiguous().view(mel.size(0), mel.size(1), -1).permute(0, 2, 1)
        audio = sigma * torch.randn(1, 4, mel.size(2))
        for k in reversed(range(FLOWS)):
            half = audio.size(1) // 2
            first, second = audio[:, :half], audio[:, half:]
            out = self.couplings[k](first, mel)
            second = (second - out[:, :half]) / torch.exp(out[:, half:])
            audio = F.conv1d(torch.cat([first, second], 1), self.inverses[k])
            if k % 4 == 0 and k > 0:
                audio = torch.cat([sigma * torch.randn(1, 2, mel.size(2)), audio], 1)
        return audio.permute(0, 2, 1).contiguous().view(1, -1)


def bare_products(rows):
    """Seconds of the products that count, as plain matrices."""
    total = 0.0
    counted = FLOWS * LAYERS
    for outputs, inputs in [(512, 640), (512, 768), (512, 256)]:
        xs, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs).t()
        times = []
        for _ in range(3):
            clock = time.perf_counter()
            xs @ weight
            times.append(time.perf_counter() - clock)
        total += counted * min(times)
    return total


def ours(program, threads, frames, name):
    command = [program, "bench", "voice", "--published-waveglow", "--format", name, "--frames", str(frames)]
    command += ["--window-frames", "0", "--runs", "1", "--threads", str(threads), "--json"]
    variables = {k: v for k, v in os.environ.items() if k not in ("RAYON_NUM_THREADS", "CANDLE_NUM_THREADS")}
    figures = json.loads(subprocess.run(command, env=variables, capture_output=True, check=True, text=True).stdout)
    return figures["real_time_factor"], figures["bare_products_ms"] / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=86)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    audio_s = arguments.frames * HOP / RATE
    model, mel = WaveGlow(), torch.randn(1, BANDS, arguments.frames)
    model.infer(mel)
    times = {"PyTorch f32": [], "f32": [], "q8_0": []}
    for _ in range(arguments.rounds):
        clock = time.perf_counter()
        samples = model.infer(mel)
        seconds = time.perf_counter() - clock
        assert samples.shape[1] == arguments.frames * HOP and samples.isfinite().all()
        times["PyTorch f32"].append((seconds / audio_s, bare_products(arguments.frames * HOP // GROUP) / audio_s))
        for name in ("f32", "q8_0"):
            times[name].append(ours(arguments.program, arguments.threads, arguments.frames, name))
    theirs = [figure for figure, _ in times["PyTorch f32"]]
    print(f"{arguments.threads} threads, medians of {arguments.rounds} rounds, seconds per second of audio")
    print(f"{'':14}{'whole':>8}{'products':>10}{'against PyTorch, by round':>28}")
    for name, rounds in times.items():
        ratios = sorted(a / b for a, (b, _) in zip(theirs, rounds))
        whole, products = (statistics.median(values) for values in zip(*rounds))
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{name:14}{whole:8.2f}{products:10.2f}{spread:>28}")


if __name__ == "__main__":
    main()
