"""Makes tests/data/published_fastspeech1.safetensors, published_fastpitch.safetensors and
published_fastpitch_speakers.safetensors (three speakers; "c1" is the first, "c2" the last): tiny random models in the published
layouts, and what PyTorch makes of them, float32, CPU, one thread.

    pip install torch safetensors numpy && python tests/make_older_references.py

The models are written here from the papers and from the habits of the published code (xcmyz/FastSpeech, NVIDIA's FastPitch
1.1) that src/acoustic/published.rs lists; layers that PyTorch has are PyTorch's own. Parameters are stored as
`model.<published name>`. Nothing is trained; no speech comes out.

Tolerances are in the tests: 1e-4 of the largest value. Made with python 3.11.7, torch 2.15.0, safetensors 0.8.0.
"""

import torch
import torch.nn.functional as F
from torch import nn

from make_published_references import positions, save

MELS, WIDTH = 6, 8


class Attention(nn.Module):
    """One block's attention by separate or joined matrices, norm after the sum."""

    def __init__(self, heads, head, joined):
        super().__init__()
        self.heads, self.joined = heads, joined
        inner = heads * head
        if joined:
            self.qkv_net = nn.Linear(WIDTH, 3 * inner)
            self.o_net = nn.Linear(inner, WIDTH, bias=False)
        else:
            self.w_qs, self.w_ks, self.w_vs = (nn.Linear(WIDTH, inner) for _ in range(3))
            self.fc = nn.Linear(inner, WIDTH)
        self.layer_norm = nn.LayerNorm(WIDTH)

    def forward(self, x):
        q, k, v = self.qkv_net(x).chunk(3, 2) if self.joined else (self.w_qs(x), self.w_ks(x), self.w_vs(x))
        q, k, v = (y.unflatten(2, (self.heads, -1)).transpose(1, 2) for y in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.layer_norm(x + (self.o_net if self.joined else self.fc)(y))


def over_time(layer, x):
    return layer(x.transpose(1, 2)).transpose(1, 2)


def same(inputs, outputs, kernel, bias=True):
    return nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


# --- FastSpeech 1 ---------------------------------------------------------------------------------------------------


class Feed1(nn.Module):
    def __init__(self):
        super().__init__()
        self.w_1, self.w_2, self.layer_norm = same(WIDTH, 12, 9), same(12, WIDTH, 1), nn.LayerNorm(WIDTH)

    def forward(self, x):
        return self.layer_norm(x + over_time(self.w_2, over_time(self.w_1, x).relu()))


class Block1(nn.Module):
    def __init__(self):
        super().__init__()
        self.slf_attn, self.pos_ffn = Attention(2, 3, joined=False), Feed1()

    def forward(self, x):
        return self.pos_ffn(self.slf_attn(x))


class Stack1(nn.Module):
    def __init__(self, symbols, places):
        super().__init__()
        if symbols:
            self.src_word_emb = nn.Embedding(symbols, WIDTH, padding_idx=0)
        table = positions(places, WIDTH)
        table[0] = 0
        self.position_enc = nn.Embedding.from_pretrained(table, freeze=True)
        self.layer_stack = nn.ModuleList(Block1() for _ in range(2))

    def forward(self, x):
        x = x + self.position_enc(torch.arange(1, x.shape[1] + 1))
        for block in self.layer_stack:
            x = block(x)
        return x


class Named(nn.Module):
    """A layer under the name under which the published code wraps it."""

    def __init__(self, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)


class Cbhg(nn.Module):
    def __init__(self, banks, width, highways):
        super().__init__()
        layer = lambda inputs, outputs, kernel: Named(
            conv1d=same(inputs, outputs, kernel, bias=False), bn=nn.BatchNorm1d(outputs)
        )
        self.conv1d_banks = nn.ModuleList(layer(MELS, MELS, k + 1) for k in range(banks))
        self.conv1d_projections = nn.ModuleList([layer(banks * MELS, width, 3), layer(width, MELS, 3)])
        self.pre_highway = nn.Linear(MELS, MELS, bias=False)
        self.highways = nn.ModuleList(Named(H=nn.Linear(MELS, MELS), T=nn.Linear(MELS, MELS)) for _ in range(highways))
        self.gru = nn.GRU(MELS, MELS, 1, batch_first=True, bidirectional=True)

    def forward(self, mel):
        x, frames = mel.transpose(1, 2), mel.shape[1]
        x = torch.cat([bank.bn(bank.conv1d(x).relu()[..., :frames]) for bank in self.conv1d_banks], 1)
        x = F.max_pool1d(x, 2, stride=1, padding=1)[..., :frames]
        first, second = self.conv1d_projections
        x = second.bn(second.conv1d(first.bn(first.conv1d(x).relu())))
        x = x.transpose(1, 2) + mel
        for highway in self.highways:
            share = highway.T(x).sigmoid()
            x = highway.H(x).relu() * share + x * (1 - share)
        return self.gru(x)[0]


class FastSpeech1(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Stack1(150, 41), Stack1(0, 301)
        layers = {
            "conv1d_1": Named(conv=same(WIDTH, 10, 3)),
            "layer_norm_1": nn.LayerNorm(10),
            "conv1d_2": Named(conv=same(10, 10, 3)),
            "layer_norm_2": nn.LayerNorm(10),
        }
        wrapped = lambda inputs, outputs: Named(linear_layer=nn.Linear(inputs, outputs))
        self.length_regulator = Named(duration_predictor=Named(conv_layer=Named(**layers), linear_layer=wrapped(10, 1)))
        self.mel_linear = wrapped(WIDTH, MELS)
        self.postnet = Cbhg(4, 10, 2)
        self.last_linear = wrapped(2 * MELS, MELS)

    def durations(self, x):
        predictor = self.length_regulator.duration_predictor
        layers = predictor.conv_layer
        x = layers.layer_norm_1(over_time(layers.conv1d_1.conv, x)).relu()
        x = layers.layer_norm_2(over_time(layers.conv1d_2.conv, x)).relu()
        return predictor.linear_layer.linear_layer(x).squeeze(2)

    def infer(self, ids, pitch, scale):
        x = self.encoder(self.encoder.src_word_emb(ids))
        out = {"log_duration": self.durations(x)}
        out["duration_rounded"] = (out["log_duration"].relu() + 0.5) * scale
        x = x[0].repeat_interleave(out["duration_rounded"][0].int(), 0)[None]
        out["mel_before"] = self.mel_linear.linear_layer(self.decoder(x))
        out["mel_after"] = out["mel_before"] + self.last_linear.linear_layer(self.postnet(out["mel_before"]))
        return out


# --- FastPitch ------------------------------------------------------------------------------------------------------


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.dec_attn = Attention(1, 5, joined=True)
        net = nn.Sequential(same(WIDTH, 12, 3), nn.ReLU(), same(12, WIDTH, 3))
        self.pos_ff = Named(CoreNet=net, layer_norm=nn.LayerNorm(WIDTH))

    def forward(self, x):
        x = self.dec_attn(x)
        return self.pos_ff.layer_norm(x + over_time(self.pos_ff.CoreNet, x))


class Stack(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        if symbols:
            self.word_emb = nn.Embedding(symbols, WIDTH, padding_idx=0)
        self.pos_emb = nn.Module()
        self.pos_emb.register_buffer("inv_freq", 1 / (10000 ** (torch.arange(0.0, WIDTH, 2.0) / WIDTH)))
        self.layers = nn.ModuleList(Layer() for _ in range(2))

    def forward(self, x):
        angles = torch.arange(x.shape[1]).float()[:, None] * self.pos_emb.inv_freq[None]
        x = x + torch.cat([angles.sin(), angles.cos()], 1)
        for layer in self.layers:
            x = layer(x)
        return x


class Predictor(nn.Module):
    def __init__(self):
        super().__init__()
        layer = lambda inputs: Named(conv=same(inputs, 10, 3), norm=nn.LayerNorm(10))
        self.layers, self.fc = nn.ModuleList([layer(WIDTH), layer(10)]), nn.Linear(10, 1)

    def forward(self, x):
        for layer in self.layers:
            x = layer.norm(over_time(layer.conv, x).relu())
        return self.fc(x).squeeze(2)


class FastPitch(nn.Module):
    def __init__(self, speakers=1):
        super().__init__()
        self.speaker_emb = nn.Embedding(speakers, WIDTH) if speakers > 1 else None
        self.encoder, self.decoder = Stack(148), Stack(0)
        self.duration_predictor, self.pitch_predictor, self.energy_predictor = (Predictor() for _ in range(3))
        self.pitch_emb, self.energy_emb = same(1, WIDTH, 3), same(1, WIDTH, 3)
        self.register_buffer("pitch_mean", torch.tensor([214.72]))
        self.register_buffer("pitch_std", torch.tensor([65.72]))
        self.proj = nn.Linear(WIDTH, MELS)
        # The aligner of the training, which speaking does not need.
        self.attention = Named(key_proj=same(WIDTH, WIDTH, 3))

    def infer(self, ids, pitch, scale, speaker=0):
        told = 0 if self.speaker_emb is None else self.speaker_emb(torch.tensor([speaker]))[:, None]
        x = self.encoder(self.encoder.word_emb(ids) + told)
        out = {"log_duration": self.duration_predictor(x), "pitch": self.pitch_predictor(x) * pitch}
        x = x + over_time(self.pitch_emb, out["pitch"][..., None])
        out["energy"] = self.energy_predictor(x)
        x = x + over_time(self.energy_emb, out["energy"][..., None])
        out["duration_rounded"] = torch.round((out["log_duration"].exp() - 1).clamp(0, 75) * scale)
        x = x[0].repeat_interleave(out["duration_rounded"][0].long(), 0)[None]
        out["mel_before"] = out["mel_after"] = self.proj(self.decoder(x))
        return out


def randomise(model):
    """Weights with which every layer matters, and statistics that are not those of a fresh norm."""
    for name, parameter in model.named_parameters():
        if name.endswith("position_enc.weight"):
            continue
        parameter.data += 0.2 * torch.randn_like(parameter)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer += 0.3 * torch.randn_like(buffer)
        if name.endswith("running_var"):
            buffer += torch.rand_like(buffer)
    return model.eval()


def cases(model, controls, symbols):
    out = {}
    for case, (pitch, scale, *speaker) in controls.items():
        out[f"controls_{case}"] = torch.tensor([pitch, 1.0, scale])
        for i, count in enumerate((17, 9)):
            ids = torch.randint(1, symbols, (1, count), generator=torch.Generator().manual_seed(i))
            out[f"ids_single{i}"] = ids[0]
            for name, value in model.infer(ids, pitch, scale, *speaker).items():
                out[f"single{i}_{case}_{name}"] = value[0]
            out[f"single{i}_{case}_mel_lens"] = torch.tensor([len(out[f"single{i}_{case}_mel_after"])])
    return out


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.manual_seed(11)
    first = randomise(FastSpeech1())
    first.length_regulator.duration_predictor.linear_layer.linear_layer.bias += 3.0
    save("published_fastspeech1.safetensors", first.state_dict(), cases(first, {"c1": (1.0, 1.0), "c2": (1.0, 1.7)}, 150))
    pitch = randomise(FastPitch())
    pitch.duration_predictor.fc.bias += 1.4
    controls = {"c1": (1.0, 1.0), "c2": (1.2, 1.3)}
    save("published_fastpitch.safetensors", pitch.state_dict(), cases(pitch, controls, 148))
    several = randomise(FastPitch(speakers=3))
    several.duration_predictor.fc.bias += 1.4
    controls = {"c1": (1.0, 1.0, 0), "c2": (1.2, 1.3, 2)}
    save("published_fastpitch_speakers.safetensors", several.state_dict(), cases(several, controls, 148))
