"""Times i3d's networks against ONNX Runtime, OpenVINO and PyTorch: same weights, same clip, one run, taking turns.

usage: network.py I3D_BINARY WEIGHTS.safetensors OUT.json [--frames 64] [--threads 2] [--runs 7] [--device NAME]

Everybody has the clip in memory at first and the logits in memory at the end, on a GPU too. With --device, i3d runs on
that adapter as well. What is not installed or not there is left out, and the output says why.
"""
import argparse, os, tempfile

import numpy as np

import turns
from onnx_graph import SIZE, build, read_safetensors


def onnxruntime(model, x, threads):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    yield "ONNX Runtime, CPU", ort.__version__, lambda: session.run(None, {"x": x})[0][0]


def openvino(model, x, threads):
    import openvino as ov
    # The default on processors with bf16 is bf16, which is no f32.
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(model, "CPU", options)
    request = compiled.create_infer_request()
    yield "OpenVINO, CPU, f32", ov.__version__.split("-")[0], lambda: request.infer({"x": x})["logits"][0]


def pytorch(tensors, x, threads):
    import torch
    from torch_network import build
    torch.set_num_threads(threads)
    version, clip = torch.__version__, torch.from_numpy(x)

    def work(network, place, layout, tf32):
        def run():
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
            with torch.inference_mode():
                return network(clip.to(place).contiguous(memory_format=layout)).cpu().numpy()[0]
        return run

    plain, last = torch.contiguous_format, torch.channels_last_3d
    network = build(tensors)
    yield "PyTorch, CPU", version, work(network, "cpu", plain, False)
    network = build(tensors).to(memory_format=last)
    yield "PyTorch, CPU, channels_last_3d", version, work(network, "cpu", last, False)
    if not torch.cuda.is_available():
        yield "PyTorch, CUDA", version, "PyTorch finds no CUDA device here"
        return
    torch.backends.cudnn.benchmark = True
    card = torch.cuda.get_device_name()
    for layout, where in ((plain, ""), (last, ", channels_last_3d")):
        network = build(tensors).to("cuda", memory_format=layout)
        for tf32 in (False, True):
            name = f"PyTorch, CUDA, {card}, TF32 {'on' if tf32 else 'off'}{where}"
            yield name, version, work(network, "cuda", layout, tf32)


def contenders_of(peers):
    """Rows and turns of peers; one that is not here becomes a row with the reason."""
    rows, contenders = [], []
    for label, peer, arguments in peers:
        try:
            for name, version, work in peer(*arguments):
                rows.append(dict(name=name, version=version))
                if isinstance(work, str):
                    rows[-1]["skipped"] = work
                else:
                    contenders.append((name, turns.timed(work)))
        except Exception as problem:
            rows.append(dict(name=label, version="", skipped=f"{type(problem).__name__}: {problem}".split("\n")[0]))
    return rows, contenders


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("i3d"), parser.add_argument("weights"), parser.add_argument("out")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--device")
    args = parser.parse_args()
    tensors = read_safetensors(args.weights)
    channels = tensors["Conv3d_1a_7x7/conv_3d/w"].shape[3]
    stream = "rgb" if channels == 3 else "flow"
    clip = np.random.default_rng(0).uniform(-1, 1, (1, args.frames, SIZE, SIZE, channels)).astype(np.float32)
    x = np.ascontiguousarray(clip.transpose(0, 4, 1, 2, 3))
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/clip.npy", clip)
        with open(f"{folder}/i3d.onnx", "wb") as file:
            file.write(build(tensors, args.frames).SerializeToString())
        rows, contenders = [], []
        for device in ["cpu"] + [args.device] * bool(args.device):
            command = [args.i3d, "-q", "bench", f"--{stream}", args.weights, "--turns", f"{folder}/clip.npy",
                       "--device", device, "--threads", str(args.threads)]
            ours = turns.Process(command)

            def turn(ours=ours):
                answer = ours.turn()
                return answer["ms"], np.array(answer["logits"])
            name = "i3d, CPU" if device == "cpu" else f"i3d, {device}"
            rows.append(dict(name=name, version=""))
            contenders.append((name, turn))
        others = contenders_of([
            ("ONNX Runtime, CPU", onnxruntime, (f"{folder}/i3d.onnx", x, args.threads)),
            ("OpenVINO, CPU, f32", openvino, (f"{folder}/i3d.onnx", x, args.threads)),
            ("PyTorch", pytorch, (tensors, x, args.threads)),
        ])
        rows, contenders = rows + others[0], contenders + others[1]
        times, outputs, failures = turns.take(contenders, args.runs)
    ours = outputs.get("i3d, CPU")
    for row in rows:
        name = row["name"]
        if name in failures:
            row["skipped"] = failures[name]
        elif "skipped" not in row:
            row["ms"] = times[name]
            if ours is not None:
                row["difference"] = float(np.abs(outputs[name] - ours).max())
    document = dict(frames=args.frames, size=SIZE, threads=args.threads, runs=args.runs, stream=stream, rows=rows)
    turns.write(args.out, document)


if __name__ == "__main__":
    main()
