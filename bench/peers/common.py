"""What the peers share: timing on one thread, and the command line."""
import argparse
import json
import statistics
import time

import torch


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=2, help="how long to measure")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def setup(args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)


def measure(name, tasks, call, seconds):
    """Prints the median CPU (one thread) microseconds per task of `call`, which works on `tasks` tasks."""
    call()
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 3:
        begin = time.process_time()
        call()
        times.append((time.process_time() - begin) / tasks)
    median = statistics.median(times)
    print(json.dumps({"name": name, "us_per_task": 1e6 * median, "tasks_per_s": 1 / median, "runs": len(times)}), flush=True)
