"""The work of benches/nn.rs in PyTorch on one thread, beside criterion's figures if there are any.

    RAYON_NUM_THREADS=1 cargo bench --bench nn && python benches/nn_torch.py [target folder]
"""

import json
import pathlib
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.manual_seed(1)
target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target")

# PyTorch's own layout, channels before time, for its convolution: the faster one there.
xs = torch.randn(12, 64, 128, requires_grad=True)
xs_t = torch.randn(12, 128, 64, requires_grad=True)
wide = torch.randn(12, 64, 256, requires_grad=True)
scores = torch.randn(12, 2, 64, 64, requires_grad=True)
matrix = (torch.randn(256, 256) * 0.02 + torch.eye(256)).requires_grad_()
conv = torch.nn.Conv1d(128, 256, 3, padding=1)
linear = torch.nn.Linear(128, 256)
norm = torch.nn.LayerNorm(256)


def gate(x):
    a, b = x.chunk(2, -1)
    return torch.tanh(a) * torch.sigmoid(b)


def unfold(x):
    padded = F.pad(x, (0, 0, 2, 0))
    return torch.cat([padded[:, i : i + 64] for i in range(3)], 2)


def both(f, *leaves):
    def run():
        for leaf in leaves:
            leaf.grad = None
        f().square().sum().backward()

    return run


def forward(f):
    def run():
        with torch.no_grad():
            f()

    return run


cases = {
    "conv1d_forward": forward(lambda: conv(xs_t)),
    "conv1d": both(lambda: conv(xs_t), xs_t, *conv.parameters()),
    "linear": both(lambda: linear(xs), xs, *linear.parameters()),
    "unfold": both(lambda: unfold(xs), xs),
    "gate_forward": forward(lambda: gate(wide)),
    "gate": both(lambda: gate(wide), wide),
    "layer_norm": both(lambda: norm(wide), wide, *norm.parameters()),
    "softmax": both(lambda: torch.softmax(scores, -1), scores),
    "inverse_forward": forward(lambda: torch.linalg.inv(matrix)),
    "inverse": both(lambda: torch.linalg.inv(matrix), matrix),
    "log_abs_det": both(lambda: torch.linalg.slogdet(matrix)[1], matrix),
}
print(f"{'':16} {'torch ms':>9} {'ours ms':>9} {'ratio':>6}")
for name, run in cases.items():
    for _ in range(10):
        run()
    times = []
    while sum(times) < 1.0:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    theirs = sorted(times)[len(times) // 2] * 1e3
    estimate = target / "criterion/nn" / name / "new/estimates.json"
    if estimate.exists():
        ours = json.loads(estimate.read_text())["median"]["point_estimate"] / 1e6
        print(f"{name:16} {theirs:9.3f} {ours:9.3f} {ours / theirs:6.2f}")
    else:
        print(f"{name:16} {theirs:9.3f}")
