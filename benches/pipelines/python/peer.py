"""`peer.py CLIENT WORK --endpoint ...`: one job by one client of Python, with the options and the
line of the programs in Rust. What loading the modules took, and touching a buffer, is told in lines and not counted."""

import argparse
import importlib
import json
import os
import sys
import time

BEGUN = time.monotonic()


class Job:
    """What is asked for; the credentials are in the environment."""

    def __init__(self, options):
        vars(self).update(vars(options))

    def parts(self):
        """The parts of one object, as pairs of first byte and length."""
        for start in range(0, self.bytes, self.part_bytes):
            yield start, min(self.part_bytes, self.bytes - start)

    def keys(self):
        """The keys of many objects."""
        return [f"{self.key}/{number:05}" for number in range(self.objects)]

    def touched_buffer(self):
        """Memory for the object, every page of it there."""
        cpu, begun = time.process_time(), time.monotonic()
        buffer = bytearray(b"\x01") * self.bytes
        tell(loading_cpu_s=time.process_time() - cpu, loading_wall_s=time.monotonic() - begun)
        return buffer

    def piece(self):
        """What is sent again and again."""
        return b"\x5a" * min(self.part_bytes, self.bytes)


def tell(**figures):
    print(json.dumps(figures, separators=(",", ":")), flush=True)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("client")
    parser.add_argument("work")
    for name in ("endpoint", "bucket", "key", "file"):
        parser.add_argument(f"--{name}")
    for name in ("objects", "bytes", "part-bytes", "connections"):
        parser.add_argument(f"--{name}", type=int)
    return parser.parse_args()


def main():
    asked = options()
    client = importlib.import_module(f"client_{asked.client}")
    loading = {
        "loading_cpu_s": time.process_time(),
        "loading_wall_s": time.monotonic() - BEGUN,
    }
    job = Job(asked)
    work = getattr(client, asked.work.replace("-", "_"), None)
    if work is None:
        sys.exit(f"{asked.client} has nothing for {asked.work}")
    moved = work(job)
    if moved != job.objects * job.bytes:
        sys.exit(f"{moved} of {job.objects * job.bytes} bytes have moved")
    tell(bytes=moved, objects=job.objects, **loading)
    # Threads of obstore have been seen to abort the process while the interpreter goes down.
    os._exit(0)


main()
