"""Times three of I3D's convolutions in i3d and in Burn, both through wgpu on the same adapter, taking turns.

usage: conv3d.py I3D_BINARY BURN_BINARY ADAPTER KIND OUT.json [--frames 64] [--size 224] [--runs 7]

KIND is the adapter's kind as `i3d devices --json` says. i3d's times are those of its own layers in a whole run, with
random weights.
"""
import argparse, os, tempfile

import numpy as np

import turns

LAYERS = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"]


def main():
    parser = argparse.ArgumentParser()
    for name in ("i3d", "burn", "adapter", "kind", "out"):
        parser.add_argument(name)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--runs", type=int, default=7)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = np.random.default_rng(0).uniform(-1, 1, (1, a.frames, a.size, a.size, 3)).astype(np.float32)
        np.save(f"{folder}/clip.npy", clip)
        ours = turns.Process([a.i3d, "-q", "bench", "--input-size", str(a.size), "--turns", f"{folder}/clip.npy",
                              "--per-layer", "--device", a.adapter])
        # Mesa's device-select layer complains where no display is.
        quiet = dict(os.environ, NODEVICE_SELECT="1")
        burn = turns.Process(
            [a.burn, str(a.frames), str(a.size)] + ["software"] * (a.kind == "software"), env=quiet)
        each = {"i3d": [], "Burn": []}

        def turn(name, answer):
            def run():
                layers = answer()
                each[name].append(layers)
                return sum(layers.values()), None
            return run

        def our_layers():
            launches = ours.turn()["launches"]
            return {layer: sum(ms for name, ms in launches if name.startswith(layer)) for layer in LAYERS}
        warm_up = 1
        contenders = [("i3d", turn("i3d", our_layers)), ("Burn", turn("Burn", burn.turn))]
        _, _, failures = turns.take(contenders, a.runs, warm_up)
    rows = []
    for layer in LAYERS:
        for name in each:
            row = dict(layer=layer, name=name, first_ms=each[name][0][layer] if name == "Burn" and each[name] else None)
            failed = failures.get(name)
            row.update(dict(skipped=failed) if failed else dict(ms=[turn[layer] for turn in each[name][warm_up:]]))
            rows.append(row)
    turns.write(a.out, dict(frames=a.frames, size=a.size, runs=a.runs, adapter=a.adapter, rows=rows))


main()
