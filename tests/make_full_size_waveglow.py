"""Writes a WaveGlow of the published size (256 channels, 87.7 M weights) with random weights, as PyTorch wrote files before
1.6: gain, direction and the stale product of each layer, 675 MB. To measure what an import of such a file takes:

    python tests/make_full_size_waveglow.py /tmp/waveglow.pt
    /usr/bin/time -v target/release/fastglow import --vocoder /tmp/waveglow.pt -o /tmp/waveglow.gguf
"""

import sys

import torch

FLOWS, GROUP, CHANNELS, LAYERS, BANDS = 12, 8, 256, 8, 80


def main(path: str) -> None:
    torch.manual_seed(20601)
    tensors = {"upsample.weight": 0.01 * torch.randn(BANDS, BANDS, 1024), "upsample.bias": torch.zeros(BANDS)}

    def layer(name: str, outputs: int, inputs: int, taps: int) -> None:
        direction = torch.randn(outputs, inputs, taps) / (inputs * taps) ** 0.5
        tensors[f"{name}.bias"] = 0.01 * torch.randn(outputs)
        tensors[f"{name}.weight_g"] = direction.flatten(1).norm(dim=1).reshape(outputs, 1, 1)
        tensors[f"{name}.weight_v"] = direction
        tensors[f"{name}.weight"] = direction.clone()

    for flow in range(FLOWS):
        group = GROUP - 2 * (flow // 4)
        name = f"WN.{flow}"
        tensors[f"convinv.{flow}.conv.weight"] = torch.linalg.qr(torch.randn(group, group))[0].unsqueeze(2)
        layer(f"{name}.start", CHANNELS, group // 2, 1)
        layer(f"{name}.cond_layer", 2 * CHANNELS * LAYERS, BANDS * GROUP, 1)
        for i in range(LAYERS):
            layer(f"{name}.in_layers.{i}", 2 * CHANNELS, CHANNELS, 3)
            layer(f"{name}.res_skip_layers.{i}", 2 * CHANNELS if i + 1 < LAYERS else CHANNELS, CHANNELS, 1)
        # Small, as after training starts: the flows stay near the identity.
        tensors[f"{name}.end.weight"] = 0.01 * torch.randn(group, CHANNELS, 1)
        tensors[f"{name}.end.bias"] = torch.zeros(group)
    checkpoint = {"model": tensors, "iteration": 1}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main(sys.argv[1])
