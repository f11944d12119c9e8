"""Makes tests/data/published_fastspeech2.safetensors and tests/data/published_waveglow.safetensors: tiny random models in
the published layouts, and what PyTorch makes of them, float32, CPU, one thread.

    pip install torch safetensors numpy && python tests/make_published_references.py

The models are written here from the papers and from the habits of the published code (ming024/FastSpeech2,
NVIDIA/waveglow) that src/acoustic/published.rs and src/vocoder/waveglow.rs list. Parameters are stored as `model.<published
name>`. Nothing is trained; no speech comes out. To check this script itself against outputs of the published code, where
the larger golden set is at hand:

    python tests/make_published_references.py --check "$FASTGLOW_GOLDENS"

Tolerances are in the tests: 1e-4 of the largest value. Made with python 3.11.7, torch 2.15.0, safetensors 0.8.0.
"""

import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

DATA = pathlib.Path(__file__).parent / "data"
CONTROLS = {"c1": (1.0, 1.0, 1.0), "c2": (1.2, 0.9, 1.1), "c3": (0.8, 1.3, 1.7)}


# --- FastSpeech 2 ---------------------------------------------------------------------------------------------------


class FastSpeech2:
    """Inference; `w` holds the weights by their published names."""

    def __init__(self, w, heads):
        self.w, self.heads = w, heads

    def linear(self, name, x):
        return F.linear(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def conv(self, name, x):
        weight = self.w[f"{name}.weight"]
        y = F.conv1d(x.transpose(1, 2), weight, self.w[f"{name}.bias"], padding=(weight.shape[2] - 1) // 2)
        return y.transpose(1, 2)

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def block(self, name, x, padding):
        batch, time, width = x.shape
        split = lambda y: y.view(batch, time, self.heads, -1).transpose(1, 2)
        q, k, v = (split(self.linear(f"{name}.slf_attn.{part}", x)) for part in ("w_qs", "w_ks", "w_vs"))
        scores = q @ k.transpose(2, 3) / math.sqrt(width // self.heads)
        scores = scores.masked_fill(padding[:, None, None, :], -math.inf)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, time, width)
        x = self.norm(f"{name}.slf_attn.layer_norm", self.linear(f"{name}.slf_attn.fc", y) + x)
        x = x.masked_fill(padding[..., None], 0)
        y = self.conv(f"{name}.pos_ffn.w_2", self.conv(f"{name}.pos_ffn.w_1", x).relu())
        return self.norm(f"{name}.pos_ffn.layer_norm", y + x).masked_fill(padding[..., None], 0)

    def stack(self, name, x, padding):
        x = x + positions(x.shape[1], x.shape[2])
        i = 0
        while f"{name}.layer_stack.{i}.slf_attn.fc.weight" in self.w:
            x = self.block(f"{name}.layer_stack.{i}", x, padding)
            i += 1
        return x

    def predictor(self, kind, x, padding):
        name = f"variance_adaptor.{kind}_predictor"
        for i in (1, 2):
            x = self.conv(f"{name}.conv_layer.conv1d_{i}.conv", x).relu()
            x = self.norm(f"{name}.conv_layer.layer_norm_{i}", x)
        return self.linear(f"{name}.linear_layer", x).squeeze(-1).masked_fill(padding, 0)

    def quantised(self, kind, x, padding, control):
        values = self.predictor(kind, x, padding) * control
        bins = torch.bucketize(values, self.w[f"variance_adaptor.{kind}_bins"])
        return values, self.w[f"variance_adaptor.{kind}_embedding.weight"][bins]

    def post_net(self, x):
        x = x.transpose(1, 2)
        count = sum(name.endswith(".0.conv.weight") and name.startswith("postnet.") for name in self.w)
        for i in range(count):
            name = f"postnet.convolutions.{i}"
            weight = self.w[f"{name}.0.conv.weight"]
            x = F.conv1d(x, weight, self.w[f"{name}.0.conv.bias"], padding=(weight.shape[2] - 1) // 2)
            part = lambda which: self.w[f"{name}.1.{which}"]
            x = F.batch_norm(x, part("running_mean"), part("running_var"), part("weight"), part("bias"))
            x = x.tanh() if i + 1 < count else x
        return x.transpose(1, 2)

    def infer(self, ids, lengths, controls):
        pitch_control, _, duration_control = controls  # The published code scales energy by the pitch control.
        padding = torch.arange(ids.shape[1])[None] >= lengths[:, None]
        x = self.stack("encoder", self.w["encoder.src_word_emb.weight"][ids], padding)
        out = {"encoder_output": x}
        out["log_duration"] = self.predictor("duration", x, padding)
        out["pitch"], vectors = self.quantised("pitch", x, padding, pitch_control)
        x = x + vectors
        out["energy"], vectors = self.quantised("energy", x, padding, pitch_control)
        x = x + vectors
        rounded = torch.clamp(torch.round(torch.exp(out["log_duration"]) - 1) * duration_control, min=0)
        out["duration_rounded"] = rounded
        rows = [row.repeat_interleave(counts.int(), 0) for row, counts in zip(x, rounded)]
        out["mel_lens"] = torch.tensor([len(row) for row in rows])
        x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        padding = torch.arange(x.shape[1])[None] >= out["mel_lens"][:, None]
        out["mel_before"] = self.linear("mel_linear", self.stack("decoder", x, padding))
        out["mel_after"] = self.post_net(out["mel_before"]) + out["mel_before"]
        return out


def positions(count, width):
    angles = torch.arange(count, dtype=torch.float64)[:, None] / 10000 ** (
        2 * torch.div(torch.arange(width), 2, rounding_mode="floor") / width
    )
    return torch.where(torch.arange(width) % 2 == 0, angles.sin(), angles.cos()).float()


def fastspeech2_weights(random):
    width, filters, mels, post, bins = 8, 12, 6, 10, 16
    w = {}

    def add(name, *shape, scale=0.6, shift=0.0):
        w[name] = torch.randn(*shape, generator=random) * scale / math.sqrt(math.prod(shape[1:]) or 1) + shift

    def layer(name, *shape):
        add(f"{name}.weight", *shape, scale=1.5)
        add(f"{name}.bias", shape[0], scale=0.2)

    def norm(name, count):
        add(f"{name}.weight", count, scale=0.2, shift=1.0)
        add(f"{name}.bias", count, scale=0.2)

    add("encoder.src_word_emb.weight", 20, width, scale=3.0)
    for stack in ("encoder", "decoder"):
        for i in range(2):
            name = f"{stack}.layer_stack.{i}"
            for part in ("w_qs", "w_ks", "w_vs", "fc"):
                layer(f"{name}.slf_attn.{part}", width, width)
            norm(f"{name}.slf_attn.layer_norm", width)
            layer(f"{name}.pos_ffn.w_1", filters, width, 9)
            layer(f"{name}.pos_ffn.w_2", width, filters, 1)
            norm(f"{name}.pos_ffn.layer_norm", width)
    for kind in ("duration", "pitch", "energy"):
        name = f"variance_adaptor.{kind}_predictor"
        for i in (1, 2):
            layer(f"{name}.conv_layer.conv1d_{i}.conv", width, width, 3)
            norm(f"{name}.conv_layer.layer_norm_{i}", width)
        layer(f"{name}.linear_layer", 1, width)
        if kind != "duration":
            add(f"variance_adaptor.{kind}_embedding.weight", bins, width)
            w[f"variance_adaptor.{kind}_bins"] = torch.linspace(-1.5, 1.5, bins - 1)
    w["variance_adaptor.duration_predictor.linear_layer.weight"] *= 0.25
    w["variance_adaptor.duration_predictor.linear_layer.bias"] += 1.4
    layer("mel_linear", mels, width)
    for i, (inputs, outputs) in enumerate([(mels, post), (post, post), (post, post), (post, mels)]):
        name = f"postnet.convolutions.{i}"
        layer(f"{name}.0.conv", outputs, inputs, 5)
        norm(f"{name}.1", outputs)
        add(f"{name}.1.running_mean", outputs, scale=0.3)
        w[f"{name}.1.running_var"] = torch.rand(outputs, generator=random) + 0.5
    return w


def fastspeech2_cases(model, ids, lengths):
    """All arrays that the test reads, named as in the golden set."""
    out = {"ids_batch": ids, "src_lens": lengths}
    singles = [row[:length] for row, length in zip(ids, lengths)]
    out |= {f"ids_single{i}": single for i, single in enumerate(singles)}
    for case, controls in CONTROLS.items():
        batch = model.infer(ids, lengths, controls)
        out["encoder_output_batch"] = batch.pop("encoder_output")
        out |= {f"batch_{case}_{name}": value for name, value in batch.items()}
        for i, single in enumerate(singles):
            alone = model.infer(single[None], torch.tensor([len(single)]), controls)
            del alone["encoder_output"]
            keep = lambda name, value: value if name == "mel_lens" else value[0]
            out |= {f"single{i}_{case}_{name}": keep(name, value) for name, value in alone.items()}
    return out


def fastspeech2():
    random = torch.Generator().manual_seed(20203)
    weights = fastspeech2_weights(random)
    lengths = torch.tensor([9, 4, 6])
    ids = torch.randint(1, 20, (3, 9), generator=random)
    ids[torch.arange(9)[None] >= lengths[:, None]] = 0
    out = fastspeech2_cases(FastSpeech2(weights, heads=2), ids, lengths)
    # Far enough from where rounding and bins turn over that float32 in another order gives the same frames.
    for name, values in out.items():
        if name.endswith("_log_duration"):
            frames = (values[values != 0].exp() - 1) % 1
            assert ((frames - 0.5).abs() > 1e-3).all(), name
        if name.endswith(("_pitch", "_energy")):
            bounds = weights["variance_adaptor.pitch_bins"]
            assert ((values[values != 0][:, None] - bounds).abs() > 1e-4).all(), name
    return weights, out


# --- WaveGlow -------------------------------------------------------------------------------------------------------


class WaveGlow:
    """Both directions; `w` holds the weights by their published names, weight norm still applied."""

    def __init__(self, w, hop, group, early_every, early_size):
        self.w, self.hop, self.group = w, hop, group
        self.early_every, self.early_size = early_every, early_size
        self.flows = sum(name.startswith("convinv.") for name in w)

    def conv(self, name, x, dilation=1):
        g, v = self.w[f"{name}.weight_g"], self.w[f"{name}.weight_v"]
        weight = g * v / v.flatten(1).norm(dim=1)[:, None, None]
        padding = dilation * (weight.shape[2] - 1) // 2
        return F.conv1d(x, weight, self.w[f"{name}.bias"], padding=padding, dilation=dilation)

    def upsampled(self, mel):
        """[batch, mels · group, groups], channel mel · group + phase."""
        weight = self.w["upsample.weight"]
        s = F.conv_transpose1d(mel, weight, self.w["upsample.bias"], stride=self.hop)
        s = s[:, :, : mel.shape[2] * self.hop]
        batch, mels, samples = s.shape
        s = s.view(batch, mels, samples // self.group, self.group).transpose(2, 3)
        return s.reshape(batch, mels * self.group, -1)

    def coupling(self, k, half, s):
        x, skip, i = self.conv(f"WN.{k}.start", half), 0, 0
        channels = x.shape[1]
        conditioning = self.conv(f"WN.{k}.cond_layer", s)
        while f"WN.{k}.in_layers.{i}.bias" in self.w:
            y = self.conv(f"WN.{k}.in_layers.{i}", x, 2**i) + conditioning[:, 2 * channels * i : 2 * channels * (i + 1)]
            y = self.conv(f"WN.{k}.res_skip_layers.{i}", y[:, :channels].tanh() * y[:, channels:].sigmoid())
            if f"WN.{k}.in_layers.{i + 1}.bias" in self.w:
                x, y = x + y[:, :channels], y[:, channels:]
            skip = skip + y
            i += 1
        return F.conv1d(skip, self.w[f"WN.{k}.end.weight"], self.w[f"WN.{k}.end.bias"]).chunk(2, 1)

    def infer(self, mel, draws, sigma):
        s, draws = self.upsampled(mel), iter(draws)
        a = sigma * next(draws)
        for k in reversed(range(self.flows)):
            a0, a1 = a.chunk(2, 1)
            shift, log_s = self.coupling(k, a0, s)
            a = torch.cat([a0, (a1 - shift) / log_s.exp()], 1)
            inverse = self.w[f"convinv.{k}.conv.weight"].squeeze(2).double().inverse().float()
            a = F.conv1d(a, inverse[:, :, None])
            if k % self.early_every == 0 and k > 0:
                a = torch.cat([sigma * next(draws), a], 1)
        return a.transpose(1, 2).reshape(a.shape[0], -1)

    def likelihood(self, mel, audio):
        a = audio.view(audio.shape[0], -1, self.group).transpose(1, 2)
        s = self.upsampled(mel)[:, :, : a.shape[2]]
        early, log_s_sums, log_dets = [], [], []
        for k in range(self.flows):
            if k % self.early_every == 0 and k > 0:
                early.append(a[:, : self.early_size])
                a = a[:, self.early_size :]
            weight = self.w[f"convinv.{k}.conv.weight"]
            a = F.conv1d(a, weight)
            log_dets.append((a.shape[0] * a.shape[2] * weight.squeeze(2).double().slogdet().logabsdet).float())
            a0, a1 = a.chunk(2, 1)
            shift, log_s = self.coupling(k, a0, s)
            a = torch.cat([a0, a1 * log_s.exp() + shift], 1)
            log_s_sums.append(log_s.sum())
        z = torch.cat([*early, a], 1)
        log_s_sums, log_dets = torch.stack(log_s_sums), torch.stack(log_dets)
        loss = ((z**2).sum() / 2 - log_s_sums.sum() - log_dets.sum()) / z.numel()
        return {"fwd_z": z, "fwd_log_s_sum": log_s_sums, "fwd_log_det": log_dets, "fwd_loss_sigma1": loss[None]}


def stft(x):
    return torch.stft(x, 1024, 256, window=torch.hann_window(1024), pad_mode="reflect", return_complex=True)


def waveglow_weights(random, mels, group, flows):
    channels, layers, kernel = 6, 3, 128
    w = {}

    def add(name, *shape, scale=1.0):
        w[name] = torch.randn(*shape, generator=random) * scale / math.sqrt(math.prod(shape[1:]) or 1)

    def normed(name, *shape):
        add(f"{name}.weight_v", *shape)
        w[f"{name}.weight_g"] = 0.4 + torch.rand(shape[0], 1, 1, generator=random)
        add(f"{name}.bias", shape[0], scale=0.2)

    add("upsample.weight", mels, mels, kernel, scale=3.0)
    add("upsample.bias", mels, scale=0.2)
    for k, width in enumerate(flows):
        rotation, _ = torch.linalg.qr(torch.randn(width, width, generator=random))
        w[f"convinv.{k}.conv.weight"] = (rotation + 0.05 * torch.randn(width, width, generator=random))[:, :, None]
        normed(f"WN.{k}.start", channels, width // 2, 1)
        normed(f"WN.{k}.cond_layer", 2 * channels * layers, mels * group, 1)
        for i in range(layers):
            normed(f"WN.{k}.in_layers.{i}", 2 * channels, channels, 3)
            normed(f"WN.{k}.res_skip_layers.{i}", 2 * channels if i + 1 < layers else channels, channels, 1)
        add(f"WN.{k}.end.weight", width, channels, 1, scale=0.3)
        add(f"WN.{k}.end.bias", width, scale=0.1)
    return w


def waveglow():
    random = torch.Generator().manual_seed(20103)
    mels, hop, group, frames, sigma = 4, 32, 8, 64, 0.7
    weights = waveglow_weights(random, mels, group, [8, 8, 6, 6])
    model = WaveGlow(weights, hop, group, early_every=2, early_size=2)
    draw = lambda *shape: torch.randn(*shape, generator=random)
    noise = [draw(1, channels, frames * hop // group) for channels in (6, 2)]
    mel = draw(1, mels, frames)
    audio = model.infer(mel, noise, sigma)[0]
    empty = [torch.zeros(1, channels, 88 * hop // group) for channels in (6, 2)]
    bias = stft(model.infer(torch.zeros(1, mels, 88), empty, 0.0)[0])[:, 0].abs()
    spectrum, strength = stft(audio), 0.1
    quieter = (spectrum.abs() - strength * bias[:, None]).clamp(min=0) * torch.exp(1j * spectrum.angle())
    out = {
        "mel": mel,
        "sigma": torch.tensor([sigma]),
        "audio": audio,
        "denoiser_strength": torch.tensor([strength]),
        "denoiser_bias_spec": bias,
        "denoised_audio": torch.istft(quieter, 1024, 256, window=torch.hann_window(1024), length=len(audio)),
        "fwd_mel": draw(2, mels, 9),
        "fwd_audio": 0.3 * draw(2, 8 * hop),
    } | {f"noise_{i}": values for i, values in enumerate(noise)}
    return weights, out | model.likelihood(out["fwd_mel"], out["fwd_audio"])


# --- Files ----------------------------------------------------------------------------------------------------------


def save(name, weights, out):
    tensors = {f"model.{key}": value for key, value in weights.items()} | out
    save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, DATA / name)
    print(f"{name}: {len(tensors)} tensors, {(DATA / name).stat().st_size} bytes")


def compare(got, want):
    worst = 0.0
    for name, value in got.items():
        error = (value.double() - want[name].double()).abs().max() / want[name].double().abs().max()
        assert error < 1e-4, f"{name}: {error}"
        worst = max(worst, error.item())
    print(f"{len(got)} arrays, largest difference {worst:.1e} of the largest value")


def check(goldens):
    """The same code on the golden set's models, against the outputs of the published code."""
    weights = torch.load(goldens / "fastspeech2_ckpt.pth.tar", map_location="cpu", weights_only=False)["model"]
    want = load_file(goldens / "fastspeech2_io.safetensors")
    compare(fastspeech2_cases(FastSpeech2(weights, heads=2), want["ids_batch"], want["src_lens"]), want)
    state = torch.load(goldens / "waveglow_ngc_statedict.pt", map_location="cpu", weights_only=False)["state_dict"]
    weights = {name.removeprefix("module."): value for name, value in state.items()}
    for k in range(12):  # The other published layout keeps the conditioning of each layer by itself.
        for part in ("weight_g", "weight_v", "bias"):
            layers = [weights.pop(f"WN.{k}.cond_layers.{i}.{part}") for i in range(8)]
            weights[f"WN.{k}.cond_layer.{part}"] = torch.cat(layers)
    want = load_file(goldens / "waveglow_io.safetensors")
    model = WaveGlow(weights, 256, 8, early_every=4, early_size=2)
    noise = [want[f"noise_{i}"] for i in range(3)]
    audio = model.infer(want["mel"], noise, want["sigma"])[0]
    compare({"audio": audio} | model.likelihood(want["fwd_mel"], want["fwd_audio"]), want)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if sys.argv[1:2] == ["--check"]:
        check(pathlib.Path(sys.argv[2]))
    else:
        save("published_fastspeech2.safetensors", *fastspeech2())
        save("published_waveglow.safetensors", *waveglow())
