"""Makes tests/data/nn_references.safetensors: values and gradients of layers by PyTorch, float32, CPU, one thread.

    pip install torch safetensors && python tests/make_nn_references.py

Tolerances are in tests/nn/references.rs: 1e-5 of the largest value for outputs, 1e-4 for gradients, which is several
times what float32 sums of these lengths differ by when taken in another order.
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

SEED = 31415
out = {}


def put(name, tensor):
    out[name] = tensor.detach().clone().contiguous()


def leaf(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).requires_grad_()


def pull_back(name, y, leaves):
    """Stores y, a random dy, and the gradient of each of the leaves, `{part: tensor}`."""
    dy = torch.randn_like(y)
    put(f"{name}_y", y)
    put(f"{name}_dy", dy)
    for part, grad in zip(leaves, torch.autograd.grad(y, list(leaves.values()), dy)):
        put(f"{name}_{part}", grad)


def convolutions():
    for name, kernel, time, options in [
        ("conv_same", 3, 9, dict(padding=1)),
        ("conv_dilated", 3, 11, dict(dilation=3)),
        ("conv_strided", 4, 11, dict(stride=3, padding=2)),
    ]:
        x, w, b = leaf(3, 5, time), leaf(4, 5, kernel, scale=0.3), leaf(4)
        put(f"{name}_x", x), put(f"{name}_w", w), put(f"{name}_b", b)
        pull_back(name, F.conv1d(x, w, b, **options), {"dx": x, "dw": w, "db": b})
    x, w = leaf(3, 4, 6), leaf(4, 5, 7, scale=0.3)
    put("convtr_x", x), put("convtr_w", w)
    pull_back("convtr", F.conv_transpose1d(x, w, stride=3), {"dx": x, "dw": w})
    conv = torch.nn.Conv1d(4, 3, 3, padding=1)
    normed = torch.nn.utils.parametrizations.weight_norm(conv)
    with torch.no_grad():
        normed.parametrizations.weight.original0.mul_(1.7)
    x = torch.randn(2, 4, 8)
    put("wn_x", x), put("wn_y", normed(x)), put("wn_bias", conv.bias), put("wn_weight", normed.weight)
    put("wn_weight_g", normed.parametrizations.weight.original0)
    put("wn_weight_v", normed.parametrizations.weight.original1)


def recurrence():
    gru = torch.nn.GRU(4, 5, batch_first=True, bidirectional=True)
    x = leaf(3, 7, 4)
    y, last = gru(x)
    put("gru_x", x), put("gru_y", y), put("gru_h_n", last)
    for name, tensor in gru.named_parameters():
        put(f"gru_{name}", tensor)
    one = torch.nn.GRU(4, 5, batch_first=True)
    own = dict(one.named_parameters())
    with torch.no_grad():
        for name, tensor in gru.named_parameters():
            if name in own:
                own[name].copy_(tensor)
    state = leaf(1, 3, 5)
    y, _ = one(x, state)
    dy = torch.randn_like(y)
    grads = torch.autograd.grad(y, [x, state, *own.values()], dy)
    put("gru_h_0", state), put("gru_from_state_y", y), put("gru_dy", dy)
    put("gru_dx", grads[0]), put("gru_dh_0", grads[1])
    for name, grad in zip(own, grads[2:]):
        put(f"gru_d_{name}", grad)


def norms():
    bn = torch.nn.BatchNorm1d(5)
    with torch.no_grad():
        bn.weight.uniform_(0.5, 1.5), bn.bias.normal_()
        bn.running_mean.normal_(), bn.running_var.uniform_(0.5, 2.0)
    for name in ["weight", "bias", "running_mean", "running_var"]:
        put(f"bn_{name}", getattr(bn, name))
    x = (torch.randn(3, 5, 6) * 2 + 1).requires_grad_()
    dy = torch.randn(3, 5, 6)
    put("bn_x", x), put("bn_dy", dy)
    for mode in ["eval", "train"]:
        bn.train(mode == "train")
        y = bn(x)
        dx, dw, db = torch.autograd.grad(y, [x, bn.weight, bn.bias], dy)
        put(f"bn_{mode}_y", y), put(f"bn_{mode}_dx", dx)
        put(f"bn_{mode}_d_weight", dw), put(f"bn_{mode}_d_bias", db)
    put("bn_running_mean_after", bn.running_mean), put("bn_running_var_after", bn.running_var)
    ln = torch.nn.LayerNorm(37)
    with torch.no_grad():
        ln.weight.normal_(), ln.bias.normal_()
    x = leaf(3, 4, 37)
    put("ln_x", x), put("ln_weight", ln.weight), put("ln_bias", ln.bias)
    pull_back("ln", ln(x), {"dx": x, "d_weight": ln.weight, "d_bias": ln.bias})


def pointwise():
    x = leaf(3, 4, 38, scale=3.0)
    put("gate_x", x)
    a, b = x.chunk(2, -1)
    pull_back("gate", torch.tanh(a) * torch.sigmoid(b), {"dx": x})
    x = leaf(3, 2, 21, scale=3.0)
    put("softmax_x", x)
    pull_back("softmax", torch.softmax(x, -1), {"dx": x})


def matrices():
    matrix = torch.randn(12, 12, dtype=torch.float64) + 2 * torch.eye(12, dtype=torch.float64)
    matrix = matrix.float().double()
    if torch.linalg.slogdet(matrix)[0] > 0:
        matrix = matrix[[1, 0, *range(2, 12)]]
    sign, log = torch.linalg.slogdet(matrix)
    put("mat", matrix.float()), put("mat_inverse", torch.linalg.inv(matrix).float())
    put("mat_slogdet_sign", sign.float().reshape(1)), put("mat_slogdet_logabs", log.float().reshape(1))


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    for part in [convolutions, recurrence, norms, pointwise, matrices]:
        part()
    path = pathlib.Path(__file__).parent / "data" / "nn_references.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(out, path, metadata={"torch": torch.__version__.split("+")[0], "seed": str(SEED)})
    print(f"{path}: {len(out)} tensors, {path.stat().st_size} bytes")
