"""Times i3d's TV-L1 against OpenCV's CPU class: same frame pairs, same parameters, one run, taking turns.

usage: opencv_tvl1.py VIDEO... [--pairs 6] [--width 341] [--height 256] [--threads 2] [--runs 3]

needs numpy and opencv-contrib-python-headless, and cargo on the path. Prints the median seconds per pair of both,
their ratio, and how far the flow fields are apart.
"""
import argparse, os, pathlib, statistics, subprocess, tempfile, time

import cv2
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent


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
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--width", type=int, default=341)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    a = parser.parse_args()
    cv2.setNumThreads(a.threads)
    frames = [f for v in a.videos for f in pairs_of(v, a.pairs, (a.width, a.height))]
    count = len(frames) // 2
    environment = dict(os.environ, RAYON_NUM_THREADS=str(a.threads))
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    theirs, ours, together = [[] for _ in range(count)], [[] for _ in range(count)], []
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/frames.npy", np.stack(frames))
        command = ["cargo", "bench", "-q", "-p", "i3d", "--bench", "flow", "--", f"{folder}/frames.npy", "1"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        for run in range(a.runs):
            flows = []
            for i in range(count):
                start = time.perf_counter()
                flows.append(solver.calc(frames[2 * i], frames[2 * i + 1], None))
                theirs[i].append(time.perf_counter() - start)
            text = subprocess.run(
                command + [f"{folder}/flows.npy"] * (run == 0), cwd=ROOT, env=environment, check=True,
                capture_output=True, text=True).stdout
            for line in text.splitlines():
                if line.startswith("together"):
                    together.append(float(line.split()[1]))
                elif line.strip():
                    ours[sum(map(len, ours)) % count].append(float(line))
        got = np.load(f"{folder}/flows.npy")
    for i in range(count):
        distance = np.linalg.norm(got[i] - flows[i], axis=2)
        print(f"pair {i}: OpenCV {statistics.median(theirs[i]):.3f} s, i3d {statistics.median(ours[i]):.3f} s, "
              f"flow up to {np.abs(flows[i]).max():.1f} px, apart {distance.mean():.4f} px, "
              f"{100 * (distance <= 0.1).mean():.2f} % within 0.1 px")
    t = statistics.median(statistics.median(x) for x in theirs)
    o = statistics.median(statistics.median(x) for x in ours)
    print(f"median of {count} pairs at {a.width}x{a.height}, {a.threads} threads: OpenCV {cv2.__version__} {t:.3f} s, "
          f"i3d {o:.3f} s ({t / o:.1f} times faster), all pairs at once {statistics.median(together):.3f} s per pair")


main()
