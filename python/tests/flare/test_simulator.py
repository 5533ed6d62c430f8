"""The widgets in FLARE's simulator: its hello-log-streaming, as `examples/flare` has it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from federation import EXAMPLES, PATIENCE

#: The widget's own line, which it writes when the server has stored the end of the log. FLARE has no later event for a
#: widget, so what follows can't be sent; in a real federation the site's `SiteLogStreamer` sends these lines too.
STORED = re.compile(r"JobLogStreamer - INFO - .* - log\.txt: complete, (\d+) bytes at the server")


def test_the_logs_at_the_server_are_those_of_the_sites(tmp_path):
    """Two sites, three rounds. Each log at the server is the site's, byte for byte, up to the widget's own line that
    all before it is stored; what follows that line is what FLARE writes after the last event that a widget gets."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "hello-log-streaming" / "job.py"), "--workspace", str(tmp_path)],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    run = tmp_path / "hello-log-streaming"
    for site in ("site-1", "site-2"):
        written = (run / site / "log.txt").read_bytes()
        arrived = (run / "server" / "simulate_job" / site / "log.txt").read_bytes()
        assert b"round 2 begins" in arrived
        assert b"started end-run events sequence" in arrived
        assert written.startswith(arrived)
        missing = written[len(arrived) :].decode().splitlines()
        stored = STORED.search(missing[0])
        assert stored and int(stored[1]) == len(arrived), missing
        assert any("END_RUN fired" in line for line in missing[1:]) and len(missing) < 6, missing


def test_the_job_carries_no_code_of_ours(tmp_path):
    """The package is installed at the sites: FLARE copies no file of it into the job, as if it were the job's code."""
    export = tmp_path / "export"
    program = (
        "import sys; from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe\n"
        "from fedtail.flare import enable_log_streaming\n"
        "recipe = NumpyFedAvgRecipe(name='hello', min_clients=2, num_rounds=1, model=[1.0], train_script=sys.argv[1])\n"
        "enable_log_streaming(recipe, 'log.txt', 'error_log.txt'); recipe.export(sys.argv[2])\n"
    )
    script = str(EXAMPLES / "hello-log-streaming" / "client.py")
    subprocess.run([sys.executable, "-c", program, script, str(export)], check=True, timeout=PATIENCE)
    names = {path.name for path in Path(export).rglob("*.py")}
    assert names == {"client.py"}
    client = next(Path(export).rglob("config_fed_client.json")).read_text()
    assert client.count("fedtail.flare.job_log_streamer.JobLogStreamer") == 2
