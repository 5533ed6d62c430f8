"""The code of the tests' job: each site writes a log of a given size when the server asks it to.

It travels with the job, as a researcher's code does, so it knows nothing of the tests.
"""

import logging
import os
import time

from nvflare.apis.controller_spec import Task
from nvflare.apis.executor import Executor
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable, make_reply


class Ask(Controller):
    """Asks all sites once, and waits for them."""

    def __init__(self, sites: int, wait_for_file: str = ""):
        super().__init__()
        self.sites = sites
        self.wait_for_file = wait_for_file

    def control_flow(self, abort_signal, fl_ctx):
        task = Task(name="talk", data=Shareable())
        self.broadcast_and_wait(
            task, fl_ctx=fl_ctx, min_responses=self.sites, wait_time_after_min_received=0, abort_signal=abort_signal
        )
        while self.wait_for_file and not os.path.exists(self.wait_for_file) and not abort_signal.triggered:
            time.sleep(0.05)

    def start_controller(self, fl_ctx):
        pass

    def stop_controller(self, fl_ctx):
        pass


class Talk(Executor):
    """Writes lines of a kilobyte to the job's log, as fast as Python's logging takes them."""

    def __init__(self, megabytes: float = 0.1, fail: bool = False):
        super().__init__()
        self.lines = int(megabytes * 1000)
        self.fail = fail

    def execute(self, task_name, shareable, fl_ctx, abort_signal):
        log = logging.getLogger("talkative")
        for number in range(self.lines):
            log.info("line %08d %s", number, "x" * 940)
        log.error("what an error log is for")
        if self.fail:
            raise RuntimeError("this site fails on purpose")
        return make_reply(ReturnCode.OK)
