"""FLARE's own log streaming beside ours, inside FLARE, on one machine: throughput, delay, lines lost on rotation.

    pip install nvflare==2.9.0 fedtail
    python bench/flare/measure.py [--megabytes 50] [--lines 200] [--rotated 40000] [--json FILE]

FLARE's simulator runs the same job twice, with a process for the server and one for the site; only the widgets differ.
Each figure is one run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FLARES, OURS = "FLARE 2.9.0", "fedtail"
WIDGETS = {
    FLARES: (
        "nvflare.app_common.logging.job_log_streamer.JobLogStreamer",
        "nvflare.app_common.logging.job_log_receiver.JobLogReceiver",
    ),
    OURS: ("fedtail.flare.JobLogStreamer", "fedtail.flare.JobLogReceiver"),
}
LOGS = ("throughput.txt", "delay.txt", "rotation.txt")

Figures = dict[str, float]


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=50, help="size of the log whose throughput is measured")
    parser.add_argument("--lines", type=int, default=200, help="lines whose delay is measured")
    parser.add_argument("--rotated", type=int, default=40_000, help="lines that are written through a rotating handler")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    figures = {name: measure(name, arguments) for name in WIDGETS}
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))


def measure(name: str, arguments: argparse.Namespace) -> Figures:
    """Runs the job once with these widgets."""
    with tempfile.TemporaryDirectory(prefix="fedtail-bench-") as folder:
        directory = Path(folder)
        received, result = directory / "received", directory / "figures.json"
        job = write_job(directory, name, received, result, arguments)
        command = [sys.executable, "-m", "nvflare.cli", "simulator", str(job), "-w", str(directory / "workspace")]
        done = subprocess.run([*command, "-n", "1", "-t", "1"], capture_output=True, text=True)
        if not result.exists():
            sys.exit(
                f"the simulator's run with the widgets of {name} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        figures: Figures = json.loads(result.read_text())
        arrived = set((received / "simulate_job" / "site-1" / "rotation.txt").read_bytes().split(b"\n"))
        lines = sum(1 for line in arrived if line.startswith(b"line ") and len(line) == len("line 00000000 ") + 105)
        return {**figures, "lost_percent": 100 * (arguments.rotated - lines) / arguments.rotated}


def write_job(directory: Path, name: str, received: Path, result: Path, arguments: argparse.Namespace) -> Path:
    """Writes the job's folder."""
    streamer, receiver = WIDGETS[name]
    app = directory / "job" / "app"
    (app / "config").mkdir(parents=True)
    (app / "custom").mkdir()
    shutil.copy(Path(__file__).with_name("measured.py"), app / "custom")
    meta = {"name": "measure", "resource_spec": {}, "min_clients": 1, "deploy_map": {"app": ["@ALL"]}}
    (app.parent / "meta.json").write_text(json.dumps(meta))
    server = {
        "format_version": 2,
        "workflows": [{"id": "ask", "path": "measured.Ask", "args": {}}],
        "components": [{"id": "receiver", "path": receiver, "args": {"dest_dir": str(received)}}],
    }
    measured = {
        "received": str(received / "simulate_job" / "site-1"),
        "figures": str(result),
        "megabytes": arguments.megabytes,
        "lines": arguments.lines,
        "rotated": arguments.rotated,
    }
    client = {
        "format_version": 2,
        "executors": [{"tasks": ["measure"], "executor": {"path": "measured.Measure", "args": measured}}],
        "components": [{"id": log, "path": streamer, "args": {"log_file_name": log}} for log in LOGS],
    }
    (app / "config" / "config_fed_server.json").write_text(json.dumps(server))
    (app / "config" / "config_fed_client.json").write_text(json.dumps(client))
    return app.parent


def table(figures: dict[str, Figures]) -> str:
    """The figures as Markdown, with the targets."""
    flare, ours = figures[FLARES], figures[OURS]
    times = ours["megabytes_per_second"] / flare["megabytes_per_second"]
    shorter = flare["delay_median_ms"] / ours["delay_median_ms"]
    rows = [
        ("", FLARES, OURS, "compared", "target"),
        ("---",) * 5,
        (
            "throughput",
            f"{flare['megabytes_per_second']:.1f} MB/s",
            f"{ours['megabytes_per_second']:.1f} MB/s",
            f"{times:.1f} times",
            f"≥ 20 times: {verdict(times >= 20)}",
        ),
        (
            "delay of a line, median",
            f"{flare['delay_median_ms']:.1f} ms",
            f"{ours['delay_median_ms']:.2f} ms",
            f"1/{shorter:.0f}",
            f"≤ 1/100: {verdict(shorter >= 100)}",
        ),
        ("delay of a line, 99 % within", f"{flare['delay_99_ms']:.1f} ms", f"{ours['delay_99_ms']:.2f} ms", "-", "-"),
        (
            "lines lost on rotation",
            f"{flare['lost_percent']:.1f} %",
            f"{ours['lost_percent']:.1f} %",
            "-",
            f"none: {verdict(ours['lost_percent'] == 0)}",
        ),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def verdict(good: bool) -> str:
    """Whether a target is met."""
    return "PASS" if good else "FAIL"


if __name__ == "__main__":
    main()
