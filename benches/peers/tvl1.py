"""Times i3d's TV-L1 against OpenCV's CPU class: same frame pairs, same parameters, one run, taking turns.

usage: tvl1.py OUT.json VIDEO... [--pairs 6] [--width 341] [--height 256] [--threads 2] [--runs 7]

needs numpy and opencv-contrib-python-headless, and cargo on the path. A turn is all pairs; its time is that of one pair
on average.
"""
import argparse, os, pathlib, tempfile

import cv2
import numpy as np

import turns

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pairs_of(path, count, size):
    """Evenly spread pairs of neighbouring frames that move: still ones would stop at once."""
    capture, frames = cv2.VideoCapture(path), []
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        frames.append(cv2.cvtColor(cv2.resize(frame, size), cv2.COLOR_BGR2GRAY))
    moving = [i for i in range(len(frames) - 1) if np.abs(frames[i + 1].astype(int) - frames[i]).mean() > 1]
    chosen = [moving[int((k + 0.5) * len(moving) / count)] for k in range(min(count, len(moving)))]
    return [frames[i + d] for i in chosen for d in (0, 1)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out"), parser.add_argument("videos", nargs="+")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--width", type=int, default=341)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=7)
    a = parser.parse_args()
    cv2.setNumThreads(a.threads)
    frames = [f for v in a.videos for f in pairs_of(v, a.pairs, (a.width, a.height))]
    count = len(frames) // 2
    if count == 0:
        raise SystemExit(f"nothing moves in {', '.join(a.videos)}; give videos with motion")
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    all_pairs = turns.timed(lambda: [solver.calc(frames[2 * i], frames[2 * i + 1], None) for i in range(count)])

    def opencv():
        ms, flows = all_pairs()
        return ms / count, flows

    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/frames.npy", np.stack(frames))
        command = ["cargo", "bench", "-q", "-p", "i3d", "--bench", "flow", "--", f"{folder}/frames.npy",
                   f"{folder}/flows.npy"]
        ours = turns.Process(command, cwd=ROOT, env=dict(os.environ, RAYON_NUM_THREADS=str(a.threads)))
        names = ["i3d, CPU", "i3d, CPU, all pairs at once", "OpenCV DualTVL1OpticalFlow, CPU"]
        latest = {}

        def alone():
            latest.update(ours.turn())
            return latest["alone"], None

        # Both of ours are measured in the one turn.
        together = lambda: (latest["together"], None)
        times, outputs, failures = turns.take(list(zip(names, (alone, together, opencv))), a.runs)
        rows = [dict(name=name, version=cv2.__version__ if "OpenCV" in name else "") for name in names]
        for row in rows:
            failed = failures.get(row["name"])
            row.update(dict(skipped=failed) if failed else dict(ms=times[row["name"]]))
        document = dict(width=a.width, height=a.height, pairs=count, threads=a.threads, runs=a.runs, rows=rows)
        if not failures:
            flows = np.stack(outputs[names[2]])
            distance = np.linalg.norm(np.load(f"{folder}/flows.npy") - flows, axis=3)
            document["apart_px"] = float(distance.mean())
            document["within_tenth"] = float((distance <= 0.1).mean())
            document["largest_px"] = float(np.abs(flows).max())
    turns.write(a.out, document)


main()
