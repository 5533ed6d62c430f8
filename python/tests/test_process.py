"""A process that forks, that has handlers of signals, that has many streams, and that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import fedtail
from place import PATIENCE, Place, until


def program(text: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Runs a program of its own to its end."""
    # Newer versions of Python warn of every fork in a process with threads, whoever's they are.
    options = ["-X", "faulthandler", "-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *options, "-c", textwrap.dedent(text), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def test_a_child_that_was_forked_is_refused_in_words_and_the_parent_goes_on(place: Place) -> None:
    """Every call; also the child ends in its own time, though what it copied is dropped there."""
    done = program(
        """
        import os, sys, fedtail
        server = fedtail.Server(sys.argv[1] + "/store", listen="127.0.0.1:0")
        site = fedtail.Site(server.address, site="site-1")
        stream = site.stream(sys.argv[1] + "/log.txt", job="job-1")
        child = os.fork()
        if child == 0:
            calls = [
                lambda: fedtail.Site("http://127.0.0.1:1", site="site-1"),
                lambda: fedtail.Server(sys.argv[1] + "/other"),
                lambda: site.stream("log.txt", job="job-1"),
                lambda: site.close(),
                lambda: stream.finish(),
                lambda: stream.request_stop(),
                lambda: stream.outcome,
                lambda: server.logs(),
                lambda: server.close(),
                lambda: server.connect("site-1", None),
            ]
            refused = 0
            for call in calls:
                try:
                    call()
                except RuntimeError as error:
                    refused += "fedtail was used before this process was forked" in str(error)
                    words = str(error)
            print(f"{refused} of {len(calls)}: {words}")
            del stream, site, server
            sys.exit(7)
        _, status = os.waitpid(child, 0)
        print("child", os.waitstatus_to_exitcode(status))
        with open(sys.argv[1] + "/log.txt", "w") as log:
            log.write("the parent goes on\\n")
        print("parent", stream.finish(60))
        site.close()
        server.close()
        """,
        place.directory,
    )
    assert done.stderr == "" and done.returncode == 0, done.stderr
    refused, child, parent = done.stdout.splitlines()
    assert refused.startswith("10 of 10: fedtail was used before this process was forked")
    assert refused.endswith('"spawn" or "forkserver"')
    assert (child, parent) == ("child 7", "parent complete, 19 bytes at the server")


def test_a_child_may_use_it_where_the_parent_has_not(place: Place) -> None:
    done = program(
        """
        import os, sys, fedtail
        child = os.fork()
        if child == 0:
            with fedtail.Server(sys.argv[1] + "/store") as server:
                print(server.logs())
            sys.exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        place.directory,
    )
    assert (done.stderr, done.stdout, done.returncode) == ("", "[]\n", 0)


def test_what_is_open_is_drained_when_the_interpreter_ends(place: Place, server: fedtail.Server) -> None:
    """Nobody has finished the stream, and nobody has closed the site."""
    done = program(
        """
        import sys, fedtail
        site = fedtail.Site(sys.argv[2], site="site-1")
        stream = site.stream(sys.argv[1] + "/log.txt", job="job-1")
        with open(sys.argv[1] + "/log.txt", "w") as log:
            log.write("the last words\\n" * 10000)
        """,
        place.directory,
        server.address,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert place.stored() == "the last words\n" * 10000
    until("the ending is told", lambda: place.finished)
    assert place.finished[0].ending == "complete"


def test_streams_without_a_server_hold_the_end_up_for_a_bounded_time(place: Place) -> None:
    """Also with servers open, channels that block, and callbacks under way."""
    done = program(
        """
        import sys, threading, fedtail
        class Stuck(fedtail.Transport):
            def connect(self, incoming):
                return self
            def send(self, message):
                sent.set()
                closed.wait()
            def close(self):
                closed.set()
        sent, closed = threading.Event(), threading.Event()
        server = fedtail.Server(sys.argv[1] + "/store", listen="127.0.0.1:0", on_finished=print)
        sites = [fedtail.Site("http://127.0.0.1:9", site="site-1"), fedtail.Site(Stuck())]
        streams = [site.stream(sys.argv[1] + "/log.txt", job="job-1") for site in sites]
        streams[0].on_ended(lambda outcome: print("ended", outcome.ending, flush=True))
        sent.wait()
        threading.Thread(target=lambda: streams[1].finish(None), daemon=True).start()
        import time; begin = time.monotonic()
        import atexit; atexit._run_exitfuncs()
        print("drained", 4 < time.monotonic() - begin < 15)
        """,
        place.directory,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert "drained True" in done.stdout and "Traceback" not in done.stderr, (done.stdout, done.stderr)
    assert "a stream was given up: timed out, 0 bytes at the server" in done.stderr


def test_ctrl_c_ends_the_draining(place: Place) -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import atexit, sys, fedtail
                site = fedtail.Site("http://127.0.0.1:9", site="site-1")
                site.stream(sys.argv[1] + "/log.txt", job="job-1")
                atexit.register(lambda: print("draining", flush=True))
                """
            ),
            str(place.directory),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout and child.stdout.readline() == "draining\n"
    begin = time.monotonic()
    # The first may come while that line is printed, and does not count then.
    while child.poll() is None and time.monotonic() - begin < 4.0:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(0.3)
        except subprocess.TimeoutExpired:
            pass
    _, errors = child.communicate(timeout=PATIENCE)
    assert time.monotonic() - begin < 4.0, "it was not drained to the end"
    assert "KeyboardInterrupt" in errors


def test_many_streams_share_few_threads(place: Place, server: fedtail.Server) -> None:
    """300 logs at once, and not a thread for each."""
    tasks = Path("/proc/self/task")
    before = len(os.listdir(tasks))
    assert server.address
    with fedtail.Site(server.address, site="site-1") as site:
        streams = []
        for number in range(300):
            log = place.log(f"log {number}\n", name=f"log-{number}.txt")
            streams.append(site.stream(log, job="job-1"))
        most = 0
        for stream in streams:
            stream.request_stop()
        for stream in streams:
            most = max(most, len(os.listdir(tasks)))
            assert stream.finish(PATIENCE).complete
    assert most - before < 100, f"{most - before} threads more"
    until("all endings are told", lambda: len(place.finished) == 300)
    assert threading.active_count() < 30


def test_a_fault_of_a_policy_does_not_end_a_process_with_faulthandler(place: Place, tmp_path: Path) -> None:
    """Faults are found by checks in the policy's code: the handlers of signals are Python's."""
    done = program(
        """
        import sys, fedtail
        with fedtail.Server(sys.argv[1] + "/store", listen="127.0.0.1:0") as server:
            site = fedtail.Site(server.address, site="site-1", policy=sys.argv[2], policy_settings={"tag": "a", "fail": "line"})
            print(site.stream(sys.argv[1] + "/log.txt", job="job-1").finish(60))
        """,
        place.log("poison\n").parent,
        Path(__file__).parents[2] / "tests" / "fixtures" / "0.1.0" / "stateful-streamer.wasm",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("failed, 0 bytes at the server"), (done.stdout, done.stderr)
