"""A job of NVIDIA FLARE whose sites write a log when the server asks them to."""

import logging

from nvflare.apis.controller_spec import Task
from nvflare.apis.executor import Executor
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable, make_reply


class Ask(Controller):
    """Asks each site once."""

    def control_flow(self, abort_signal, fl_ctx):
        task = Task(name="talk", data=Shareable())
        self.broadcast_and_wait(task=task, fl_ctx=fl_ctx, min_responses=1, abort_signal=abort_signal)

    def start_controller(self, fl_ctx):
        pass

    def stop_controller(self, fl_ctx):
        pass


class Talk(Executor):
    """Writes so many lines, and one error."""

    def __init__(self, lines: int):
        super().__init__()
        self.lines = lines

    def execute(self, task_name, shareable, fl_ctx, abort_signal):
        log = logging.getLogger("talk")
        for number in range(self.lines):
            log.info("line %d of a training that is none", number)
        log.error("an error that is none")
        return make_reply(ReturnCode.OK)
