"""A handler of :mod:`logging` whose records are live at the server."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

import fedtail
from place import Place, until
from fedtail.logging import Handler


def test_records_are_live_at_the_server_and_nothing_is_left_behind(
    place: Place, site: fedtail.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(place.directory))
    handler = Handler(site, job="job-1", name="trainer.log", level=logging.INFO)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.Logger("trainer")
    logger.addHandler(handler)
    logger.info("round %d", 1)
    until("the record is at the server", lambda: place.stored(log="trainer.log") == "INFO round 1\n")
    logger.debug("not shown")
    logger.error("Zürich is gone")
    file = Path(handler.baseFilename)
    assert file.exists()
    handler.close()
    handler.close()
    assert handler.outcome and handler.outcome.complete
    assert place.stored(log="trainer.log") == "INFO round 1\nERROR Zürich is gone\n"
    assert not file.parent.exists()


def test_a_file_of_its_own_stays(place: Place, site: fedtail.Site) -> None:
    handler = Handler(site, job="job-1", directory=place.directory / "logs")
    handler.emit(logging.makeLogRecord({"msg": "kept"}))
    handler.close()
    assert (place.directory / "logs" / "log.txt").read_text() == place.stored() == "kept\n"


def test_what_the_server_does_not_have_stays_and_the_words_say_where(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with fedtail.Site("http://127.0.0.1:9", site="site-1") as site:
        handler = Handler(site, job="job-1", finish_timeout=0.1)
        handler.emit(logging.makeLogRecord({"msg": "the last words"}))
        handler.close()
    (said,) = [record.getMessage() for record in caplog.records if "it stays in" in record.getMessage()]
    assert "timed out, 0 bytes at the server" in said and said.endswith(handler.baseFilename)
    file = Path(handler.baseFilename)
    assert file.read_text() == "the last words\n"
    file.unlink()
    file.parent.rmdir()


def test_a_name_that_leaves_the_directory_makes_no_file(
    place: Place, site: fedtail.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(place.directory))
    with pytest.raises(ValueError, match="it has a path separator in it"):
        Handler(site, job="job-1", name="../escaped.txt")
    assert os.listdir(place.directory) == ["store"]


def test_the_program_ends_with_its_handlers_and_all_is_at_the_server(place: Place, server: fedtail.Server) -> None:
    """``logging`` closes handlers at the end of the interpreter, before or after fedtail drains its streams."""
    from test_process import program

    done = program(
        """
        import logging, sys, fedtail, fedtail.logging
        logging.basicConfig(level=logging.INFO, handlers=[
            fedtail.logging.Handler(fedtail.Site(sys.argv[1], site="site-1"), job="job-1"),
        ])
        logging.info("the only words")
        """,
        server.address,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert "INFO:root:the only words\n" in (place.stored() or "")
    until("the ending is told", lambda: place.finished)
    assert place.finished[0].ending == "complete"
