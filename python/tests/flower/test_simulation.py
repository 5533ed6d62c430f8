"""Logs of ClientApps in Flower's own simulation engine."""

from __future__ import annotations

import re
from typing import Callable

import pytest

from app import STEPS
from conftest import Simulation, until

pytestmark = pytest.mark.timeout(400)


def messages(log: str) -> list[str]:
    """The lines without what stands before a record's message."""
    return [re.sub(r"^[-\d]+ [:,\d]+ - (\S+) - (\w+) - ", r"\1 \2 ", line) for line in log.splitlines()]


def expected(node: int, round_: int) -> list[str]:
    steps = [f"trainer INFO round {round_} step {step} of node {node}" for step in range(STEPS)]
    return [*steps, f"printed in round {round_}", "und das ist für stderr"]


def test_what_clientapps_log_and_print_is_at_the_server_whole_and_in_the_serverapps_log(
    simulate: Callable[[str], Simulation],
) -> None:
    """The same bytes as at the nodes, each line once and in order, over several messages and processes."""
    simulation = simulate("")
    shown = simulation.finish()
    assert sorted(simulation.written()) == sorted(simulation.log(node) for node in (0, 1))
    for node in (0, 1):
        # Flower itself may say something meanwhile.
        of_app = [line for line in messages(simulation.log(node)) if not line.startswith("flwr ")]
        assert of_app == expected(node, 1) + expected(node, 2)
        of_node = re.findall(rf"^INFO :\s+node-{node} \| (.*)$", shown, re.MULTILINE)
        assert messages("\n".join(of_node)) == messages(simulation.log(node))
    assert "trying again" not in shown and "not at the server" not in shown, shown


def test_lines_are_live_while_the_clientapp_is_still_at_work(simulate: Callable[[str], Simulation]) -> None:
    """The app ends only once its lines have been seen at the server, in the store and in the ServerApp's log."""
    simulation = simulate("waits")
    until("both logs are live", lambda: all("für stderr" in simulation.log(node) for node in (0, 1)))
    until("they are shown", lambda: "| printed in round 1" in simulation.output.read_text(errors="replace"))
    assert simulation.process.poll() is None
    assert "round 2" not in simulation.log(0)
    simulation.seen.touch()
    simulation.finish()
    assert "printed in round 2" in simulation.log(0)


def test_the_traceback_of_a_clientapp_that_fails_is_at_the_server(simulate: Callable[[str], Simulation]) -> None:
    simulation = simulate("fails")
    shown = simulation.finish()
    log = simulation.log(1)
    assert "Traceback (most recent call last):" in log
    assert log.endswith("ValueError: the loss is not a number\n")
    assert "node-1 | ValueError: the loss is not a number" in shown
