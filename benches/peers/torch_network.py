"""I3D in PyTorch, from a safetensors file's variables: eager modules, batch norm folded into the convolutions."""
import torch
import torch.nn.functional as F

from onnx_graph import EPSILON, MODULES


def same(size, kernel, stride):
    """TensorFlow's padding, in the order of `F.pad`: last axis first."""
    pads = []
    for n, k, s in zip(size, kernel, stride):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        pads = [total // 2, total - total // 2] + pads
    return pads


def pad(x, kernel, stride, value):
    """`x` padded where that is not the same on both sides, and what is left for the operation to pad."""
    pads = same(x.shape[2:], kernel, stride)
    if all(pads[i] == pads[i + 1] for i in (0, 2, 4)):
        return x, (pads[4], pads[2], pads[0])
    return F.pad(x, pads, value=value), (0, 0, 0)


class Conv(torch.nn.Module):
    def __init__(self, tensors, name, stride):
        super().__init__()
        t = lambda v: torch.from_numpy(tensors[f"{name}/{v}"].copy())
        w = t("conv_3d/w")
        self.relu = f"{name}/conv_3d/b" not in tensors
        if self.relu:
            scale = 1 / torch.sqrt(t("batch_norm/moving_variance") + EPSILON)
            w, bias = w * scale, t("batch_norm/beta") - t("batch_norm/moving_mean") * scale
        else:
            bias = t("conv_3d/b")
        self.kernel, self.stride = w.shape[:3], stride
        self.w = torch.nn.Parameter(w.permute(4, 3, 0, 1, 2).contiguous())
        self.b = torch.nn.Parameter(bias)

    def forward(self, x):
        x, padding = pad(x, self.kernel, self.stride, 0.0)
        y = F.conv3d(x, self.w, self.b, self.stride, padding)
        return F.relu_(y) if self.relu else y


class MaxPool(torch.nn.Module):
    def __init__(self, kernel, stride):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x):
        x, padding = pad(x, self.kernel, self.stride, float("-inf"))
        return F.max_pool3d(x, self.kernel, self.stride, padding)


class Mixed(torch.nn.Module):
    def __init__(self, tensors, name):
        super().__init__()
        last = "Branch_2/Conv3d_0a_3x3" if name == "Mixed_5b" else "Branch_2/Conv3d_0b_3x3"
        conv = lambda part: Conv(tensors, f"{name}/{part}", (1, 1, 1))
        pair = lambda a, b: torch.nn.Sequential(a, b)
        self.branches = torch.nn.ModuleList([
            conv("Branch_0/Conv3d_0a_1x1"),
            pair(conv("Branch_1/Conv3d_0a_1x1"), conv("Branch_1/Conv3d_0b_3x3")),
            pair(conv("Branch_2/Conv3d_0a_1x1"), conv(last)),
            pair(MaxPool((3, 3, 3), (1, 1, 1)), conv("Branch_3/Conv3d_0b_1x1")),
        ])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Head(torch.nn.Module):
    def __init__(self, tensors):
        super().__init__()
        self.logits = Conv(tensors, "Logits/Conv3d_0c_1x1", (1, 1, 1))

    def forward(self, x):
        x = F.avg_pool3d(x, (2, *x.shape[3:]), (1, 1, 1))
        return self.logits(x).mean((2, 3, 4))


def build(tensors):
    """The network for clips [N, C, T, H, W], giving logits."""
    layers = [
        Conv(tensors, "Conv3d_1a_7x7", (2, 2, 2)), MaxPool((1, 3, 3), (1, 2, 2)),
        Conv(tensors, "Conv3d_2b_1x1", (1, 1, 1)), Conv(tensors, "Conv3d_2c_3x3", (1, 1, 1)),
        MaxPool((1, 3, 3), (1, 2, 2)),
    ]
    for name, pool in MODULES.items():
        layers.append(MaxPool((pool,) * 3, (2, 2, 2)) if pool else Mixed(tensors, name))
    return torch.nn.Sequential(*layers, Head(tensors)).eval()
