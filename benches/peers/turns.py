"""What every comparison here does: contenders take turns, and their times go to a JSON file."""
import json, platform, subprocess, threading, time


class Process:
    """A program that does one turn for every line that it is sent, and answers with a line of JSON.

    One that does not answer within `limit` seconds is ended: what tunes itself on a software adapter may take hours.
    """

    def __init__(self, command, limit=600, **options):
        self.limit = limit
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **options)

    def turn(self):
        program, late = self.process.args[0].rsplit("/", 1)[-1], threading.Event()

        def end():
            late.set()
            self.process.kill()
        timer = threading.Timer(self.limit, end)
        timer.start()
        try:
            self.process.stdin.write("\n")
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if late.is_set():
            raise TimeoutError(f"{program} gave no answer within {self.limit} seconds")
        if not line:
            raise RuntimeError(f"{program} ended with status {self.process.wait()}")
        return json.loads(line)


def take(contenders, runs, warm_up=2, pause=0.3):
    """Milliseconds of `runs` turns each, A, B, C, A, B, C, after some that do not count; and what the last turn gave.

    A contender is `(name, turn)`; `turn()` does the work and gives its milliseconds and its output. One that fails is
    left out from then on. The pause lets the threads of the one before go to sleep.
    """
    times, outputs, failures = {name: [] for name, _ in contenders}, {}, {}
    for run in range(-warm_up, runs):
        for name, turn in contenders:
            if name in failures:
                continue
            try:
                ms, outputs[name] = turn()
            except Exception as problem:
                failures[name] = f"{type(problem).__name__}: {problem}".split("\n")[0]
                continue
            if run >= 0:
                times[name].append(ms)
            time.sleep(pause)
    return times, outputs, failures


def timed(work):
    """A turn of a function that returns when it is done."""
    def turn():
        start = time.perf_counter()
        output = work()
        return 1e3 * (time.perf_counter() - start), output
    return turn


def write(path, document):
    with open(path, "w") as file:
        json.dump(dict(document, python=platform.python_version()), file, indent=1)
