"""What the benchmark's site does in its one task: it writes logs, and measures when they are at the server.

It travels with the job. Both sides are on one machine, so the site can look at the server's files.
"""

import json
import logging
import os
import statistics
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from nvflare.apis.controller_spec import Task
from nvflare.apis.executor import Executor
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable, make_reply

#: Seconds after which a measurement is given up.
PATIENCE = 300.0


class Ask(Controller):
    """Asks the site once, and waits for it."""

    def control_flow(self, abort_signal, fl_ctx):
        task = Task(name="measure", data=Shareable())
        self.broadcast_and_wait(task, fl_ctx=fl_ctx, min_responses=1, abort_signal=abort_signal)

    def start_controller(self, fl_ctx):
        pass

    def stop_controller(self, fl_ctx):
        pass


class Measure(Executor):
    """Writes three logs, one for each figure, into the folder of the job's logs."""

    def __init__(self, received: str, figures: str, megabytes: int, lines: int, rotated: int):
        super().__init__()
        self.received = Path(received)
        self.figures = figures
        self.megabytes, self.lines, self.rotated = megabytes, lines, rotated

    def execute(self, task_name, shareable, fl_ctx, abort_signal):
        handlers = [h for h in logging.root.handlers if isinstance(h, logging.FileHandler)]
        self.logs = Path(handlers[0].baseFilename).parent
        figures = {"megabytes_per_second": self.throughput(), **self.delay()}
        self.rotation()
        with open(self.figures, "w") as file:
            json.dump(figures, file)
        return make_reply(ReturnCode.OK)

    def throughput(self):
        """Megabytes a second, from the moment when a large log is there until the server has its last byte."""
        line = b"2026-11-24 15:04:05,123 - train - INFO - [site=site-1] - step %06d loss 0.%06d lr 1.0e-4 grad %08d\n"
        hidden = self.logs / "hidden"
        with open(hidden, "wb") as log:
            for number in range(self.megabytes * 1_000_000 // len(line % (0, 0, 0))):
                log.write(line % (number % 1_000_000, number * 7919 % 1_000_000, number * 104729 % 100_000_000))
            size = log.tell()
        os.rename(hidden, self.logs / "throughput.txt")
        begin = time.perf_counter()
        self.wait_for("throughput.txt", size)
        return size / (time.perf_counter() - begin) / 1e6

    def delay(self):
        """Milliseconds from a line's writing until the server has it, one line at a time."""
        delays = []
        with open(self.logs / "delay.txt", "ab", buffering=0) as log:
            log.write(b"the first line\n")
            self.wait_for("delay.txt", log.tell())
            for number in range(self.lines):
                # Moments that have nothing to do with anybody's polling.
                time.sleep(0.02 + 0.3 * ((number * 0.618) % 1))
                begin = time.perf_counter()
                log.write(b"line %08d\n" % number)
                self.wait_for("delay.txt", log.tell())
                delays.append((time.perf_counter() - begin) * 1000)
        delays.sort()
        return {"delay_median_ms": statistics.median(delays), "delay_99_ms": delays[int(len(delays) * 0.99)]}

    def rotation(self):
        """Lines through Python's RotatingFileHandler, 20,000 a second; what arrives is counted when the job is over."""
        # So many copies that none is deleted before the end: what is lost was there to be read.
        handler = RotatingFileHandler(self.logs / "rotation.txt", maxBytes=200_000, backupCount=1000)
        log = logging.Logger("rotation")
        log.addHandler(handler)
        begin = time.perf_counter()
        for number in range(self.rotated):
            log.info("line %08d %s", number, "x" * 105)
            ahead = number / 20_000 - (time.perf_counter() - begin)
            if ahead > 0.005:
                time.sleep(ahead)
        handler.close()

    def wait_for(self, log, size):
        """Waits until the server has so many bytes of this log."""
        path = self.received / log
        deadline = time.perf_counter() + PATIENCE
        while not (path.exists() and path.stat().st_size >= size):
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{path} has not {size} bytes within {PATIENCE:g} s")
            time.sleep(0.0002)
