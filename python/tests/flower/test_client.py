"""The mod beside Flower's own messages and contexts."""

from __future__ import annotations

import logging
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

import fedtail
from fedtail.flower import ClientLog
from fedtail.flower.output import Copied


@pytest.fixture(autouse=True)
def task() -> None:
    """Flower says in each process what it works for; messages can be made only then."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 11, 1, 1


def message(**config: Any) -> Message:
    content = RecordDict({"config": ConfigRecord(config)} if config else {})
    return Message(content, dst_node_id=7, message_type="train")


def context(**node: Any) -> Context:
    config = {key.replace("_", "-"): value for key, value in node.items()}
    return Context(run_id=11, node_id=7, node_config=config, state=RecordDict(), run_config={})


def handle(received: Message, _context: Context) -> Message:
    print("handled")
    return received


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLWR_HOME", str(tmp_path / "flower"))
    return tmp_path / "flower" / "fedtail"


def test_the_nodes_own_words_win_over_what_a_message_brings(tmp_path: Path, home: Path) -> None:
    """A message says where a log may go, and nothing else of what is the site's to decide."""
    with fedtail.Server(tmp_path / "store", listen="127.0.0.1:0") as server:
        node = context(fedtail_server=server.address, fedtail_site="hospital-a")
        sent = message(**{"fedtail-server": "http://127.0.0.1:9", "fedtail-site": "x", "fedtail-policy": "/dev/null"})
        assert ClientLog()(sent, node, handle) is sent
        assert ClientLog("second.log")(message(**{"fedtail-server": server.address}), context(), handle)
        logs = [(log.job, log.site, log.log, log.ending, log.stored) for log in server.logs()]
    assert logs == [
        ("11", "hospital-a", "clientapp.log", "complete", 8),
        ("11", "node-7", "second.log", "complete", 8),
    ]
    directory = home / "11" / "7"
    assert (directory / "clientapp.log").read_text() == "handled\n"
    assert stat.S_IMODE(directory.stat().st_mode) & 0o077 == 0


def test_messages_of_one_run_go_on_with_one_log(tmp_path: Path, home: Path) -> None:
    finished: list[str] = []
    with fedtail.Server(
        tmp_path / "store", listen="127.0.0.1:0", on_finished=lambda log: finished.append(str(log))
    ) as server:
        for _ in range(3):
            ClientLog()(message(), context(fedtail_server=server.address), handle)
    assert finished[-1] == "11/node-7/clientapp.log complete, 24 bytes"
    assert (tmp_path / "store/11/node-7/clientapp.log").read_text() == "handled\n" * 3


def test_without_a_server_the_app_is_left_alone(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    sent = message()
    assert ClientLog()(sent, context(), handle) is sent
    assert not home.exists() and caplog.records == []


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"fedtail_server": "https://server.example"}, "https:// needs"),
        ({"fedtail_server": "http://server.example"}, "without TLS only this machine's loopback is used"),
        ({"fedtail_server": "http://127.0.0.1:9", "fedtail_site": "a/b"}, "it has a path separator in it"),
        ({"fedtail_server": "http://127.0.0.1:9", "fedtail_policy": "/none.wasm"}, "/none.wasm"),
    ],
)
def test_what_is_wrong_with_the_nodes_configuration_is_said_and_the_app_goes_on(
    home: Path, caplog: pytest.LogCaptureFixture, node: dict[str, str], words: str
) -> None:
    sent = message()
    assert ClientLog()(sent, context(**node), handle) is sent
    (record,) = [record for record in caplog.records if record.name == "fedtail.flower"]
    assert record.getMessage().startswith("the log of this ClientApp is not streamed: ") and words in record.getMessage()


def test_a_server_that_is_away_holds_a_reply_up_for_a_bounded_time_and_gets_the_log_with_the_next(
    tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with fedtail.Server(tmp_path / "store", listen="127.0.0.1:0") as server:
        listen = str(server.address).rsplit("/", 1)[-1]
    node = context(fedtail_server=f"http://{listen}")
    sent = message()
    assert ClientLog(finish_timeout=0.2)(sent, node, handle) is sent
    assert any("is not at the server as it should be: timed out" in record.getMessage() for record in caplog.records)
    with fedtail.Server(tmp_path / "store", listen=listen):
        ClientLog()(message(), node, handle)
    assert (tmp_path / "store/11/node-7/clientapp.log").read_text() == "handled\n" * 2


def test_a_record_is_copied_once_whichever_loggers_it_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flower's logger hands its records on to the root or not, and shows them itself."""
    flower = logging.getLogger("flwr")
    file = tmp_path / "log"
    before = (sys.stdout, sys.stderr, flower.propagate)
    try:
        for propagate in (True, False):
            flower.propagate = propagate
            with Copied(file) as copied:
                flower.info("one")
                logging.getLogger("app").warning("two")
                print("three", end=" ")
                copied.write("four\n")
    finally:
        flower.propagate = before[2]
    assert (sys.stdout, sys.stderr) == before[:2]
    lines = [line.split(" - ", 1)[-1] for line in file.read_text().splitlines()]
    assert lines == ["flwr - INFO - one", "app - WARNING - two", "three four"] * 2
    assert "three" in capsys.readouterr().out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
