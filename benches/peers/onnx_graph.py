"""I3D as an ONNX graph, from a safetensors file: what ONNX Runtime and OpenVINO run."""
import json, struct

import numpy as np
from onnx import TensorProto, helper, numpy_helper

EPSILON = 1e-3
# Height and width of the clip, unless something else is asked for.
SIZE = 224
MODULES = {
    "Mixed_3b": 0, "Mixed_3c": 0, "MaxPool3d_4a_3x3": 3, "Mixed_4b": 0, "Mixed_4c": 0, "Mixed_4d": 0, "Mixed_4e": 0,
    "Mixed_4f": 0, "MaxPool3d_5a_2x2": 2, "Mixed_5b": 0, "Mixed_5c": 0,
}


def read_safetensors(path):
    """The variables of a file of this project."""
    raw = open(path, "rb").read()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + o for o in entry["data_offsets"])
            tensors[name] = np.frombuffer(raw[begin:end], np.float32).reshape(entry["shape"])
    return tensors


class Graph:
    """An ONNX graph in N,C,T,H,W, with TensorFlow's SAME padding for known sizes."""

    def __init__(self, tensors, size):
        self.tensors, self.nodes, self.weights, self.size = tensors, [], [], {"x": size}
        self.count = 0
        # Multiply-accumulates of the convolutions by height and width of their kernels: 1, 3 and 7.
        self.macs = {}

    def add(self, op, inputs, size, **attributes):
        self.count += 1
        name = f"v{self.count}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        self.size[name] = size
        return name

    def same(self, x, kernel, stride):
        out, before, after = [], [], []
        for n, k, s in zip(self.size[x], kernel, stride):
            o = -(-n // s)
            total = max((o - 1) * s + k - n, 0)
            out.append(o), before.append(total // 2), after.append(total - total // 2)
        return out, dict(kernel_shape=kernel, strides=stride, pads=before + after)

    def constant(self, name, value):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def conv(self, x, name, stride=(1, 1, 1)):
        t = lambda v: self.tensors[f"{name}/{v}"]
        w = t("conv_3d/w")
        if f"{name}/conv_3d/b" in self.tensors:
            bias, relu = t("conv_3d/b"), False
        else:
            scale = 1 / np.sqrt(t("batch_norm/moving_variance") + EPSILON)
            w, bias, relu = w * scale, t("batch_norm/beta") - t("batch_norm/moving_mean") * scale, True
        size, attributes = self.same(x, list(w.shape[:3]), list(stride))
        self.macs[w.shape[1]] = self.macs.get(w.shape[1], 0) + w.size * int(np.prod(size))
        inputs = [x, self.constant(name + "/w", w.transpose(4, 3, 0, 1, 2)), self.constant(name + "/b", bias)]
        y = self.add("Conv", inputs, size, **attributes)
        return self.add("Relu", [y], size) if relu else y

    def pool(self, x, kernel, stride):
        size, attributes = self.same(x, list(kernel), list(stride))
        return self.add("MaxPool", [x], size, **attributes)

    def mixed(self, x, name):
        last = "Branch_2/Conv3d_0a_3x3" if name == "Mixed_5b" else "Branch_2/Conv3d_0b_3x3"
        b = [
            self.conv(x, f"{name}/Branch_0/Conv3d_0a_1x1"),
            self.conv(self.conv(x, f"{name}/Branch_1/Conv3d_0a_1x1"), f"{name}/Branch_1/Conv3d_0b_3x3"),
            self.conv(self.conv(x, f"{name}/Branch_2/Conv3d_0a_1x1"), f"{name}/{last}"),
            self.conv(self.pool(x, (3, 3, 3), (1, 1, 1)), f"{name}/Branch_3/Conv3d_0b_1x1"),
        ]
        return self.add("Concat", b, self.size[x], axis=1)

    def model(self):
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        channels = self.tensors["Conv3d_1a_7x7/conv_3d/w"].shape[3]
        graph = helper.make_graph(
            self.nodes, "i3d", [value("x", [1, channels, *self.size["x"]])], [value("logits", [1, None])], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def network(tensors, frames, size):
    """The network's nodes, from `x` to `logits`."""
    g = Graph(tensors, [frames, size, size])
    x = g.conv("x", "Conv3d_1a_7x7", (2, 2, 2))
    x = g.pool(x, (1, 3, 3), (1, 2, 2))
    x = g.conv(g.conv(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3")
    x = g.pool(x, (1, 3, 3), (1, 2, 2))
    for name, pool in MODULES.items():
        x = g.pool(x, (pool,) * 3, (2, 2, 2)) if pool else g.mixed(x, name)
    t, h, w = g.size[x]
    x = g.add("AveragePool", [x], [t - 1, 1, 1], kernel_shape=[2, h, w], strides=[1, 1, 1])
    x = g.conv(x, "Logits/Conv3d_0c_1x1")
    g.weights.append(numpy_helper.from_array(np.array([2, 3, 4], np.int64), "axes"))
    g.nodes.append(helper.make_node("ReduceMean", [x, "axes"], ["logits"], keepdims=0))
    return g


def build(tensors, frames, size=SIZE):
    """The network for one clip of so many frames, input `x` [1, C, T, H, W], output `logits`."""
    return network(tensors, frames, size).model()
