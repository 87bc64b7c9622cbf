"""The network with seeded random weights, as a file of this project and as an ONNX graph of the same.

usage: random_network.py OUT_FOLDER [--frames 16] [--size 128]

writes random.safetensors, i3d.onnx and network.json, which has the multiply-accumulates by kernel.
"""
import argparse, json, struct

import numpy as np

from onnx_graph import network, read_safetensors

# Channels by unit, from the paper; `src/network/inception.rs` has the same.
STEM = {"Conv3d_1a_7x7": (7, 3, 64), "Conv3d_2b_1x1": (1, 64, 64), "Conv3d_2c_3x3": (3, 64, 192)}
MODULES = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32), "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64), "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64), "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128), "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
CLASSES = 400


def units():
    """Name, height and width of the kernel, input and output channels of every convolution."""
    for name, (kernel, inputs, outputs) in STEM.items():
        yield name, kernel, inputs, outputs
    before = 192
    for name, (a, b, c, d, e, f) in MODULES.items():
        yield f"{name}/Branch_0/Conv3d_0a_1x1", 1, before, a
        yield f"{name}/Branch_1/Conv3d_0a_1x1", 1, before, b
        yield f"{name}/Branch_1/Conv3d_0b_3x3", 3, b, c
        yield f"{name}/Branch_2/Conv3d_0a_1x1", 1, before, d
        yield f"{name}/Branch_2/Conv3d_0{'a' if name == 'Mixed_5b' else 'b'}_3x3", 3, d, e
        yield f"{name}/Branch_3/Conv3d_0b_1x1", 1, before, f
        before = a + c + e + f
    yield "Logits/Conv3d_0c_1x1", 1, before, CLASSES


def variables():
    """Kernels that keep activations of order one, offsets that are small, batch norm that changes nothing else."""
    random, found = np.random.default_rng(0), {}
    uniform = lambda bound, shape: random.uniform(-bound, bound, shape).astype(np.float32)
    for name, kernel, inputs, outputs in units():
        # Uniform numbers up to this bound have He's variance, 2 / fan-in.
        bound = np.sqrt(6 / (kernel ** 3 * inputs))
        found[f"{name}/conv_3d/w"] = uniform(bound, (kernel,) * 3 + (inputs, outputs))
        if name.startswith("Logits"):
            found[f"{name}/conv_3d/b"] = uniform(0.1, outputs)
        else:
            found[f"{name}/batch_norm/beta"] = uniform(0.1, outputs)
            found[f"{name}/batch_norm/moving_mean"] = np.zeros(outputs, np.float32)
            found[f"{name}/batch_norm/moving_variance"] = np.ones(outputs, np.float32)
    return found


def write_safetensors(path, tensors, metadata):
    """A file of this project: the header, then the tensors in the order of their names."""
    header, end = {"__metadata__": metadata}, 0
    for name, tensor in sorted(tensors.items()):
        header[name] = dict(dtype="F32", shape=tensor.shape, data_offsets=[end, end + tensor.nbytes])
        end += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, tensor in sorted(tensors.items()):
            file.write(tensor.tobytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    a = parser.parse_args()
    weights = f"{a.out}/random.safetensors"
    metadata = dict(
        architecture="i3d-inception-v1", stream="rgb", width="1", input_size=str(a.size), classes=str(CLASSES))
    write_safetensors(weights, variables(), metadata)
    # From the file, so that whatever may be wrong with that is wrong for everybody.
    graph = network(read_safetensors(weights), a.frames, a.size)
    with open(f"{a.out}/i3d.onnx", "wb") as file:
        file.write(graph.model().SerializeToString())
    with open(f"{a.out}/network.json", "w") as file:
        json.dump(dict(frames=a.frames, size=a.size, macs=graph.macs), file)


main()
