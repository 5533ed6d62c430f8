"""Startup kits: the widgets are in them, and FLARE's own are not."""

import json
import subprocess
import sys

import pytest
import yaml

from federation import EXAMPLES, PATIENCE


@pytest.fixture(scope="module")
def kits(tmp_path_factory):
    """The kits of `examples/flare/project.yml`, in which site-2 forbids streaming."""
    directory = tmp_path_factory.mktemp("provision")
    project = yaml.safe_load((EXAMPLES / "project.yml").read_text())
    project["participants"][2]["allow_log_streaming"] = False
    (directory / "project.yml").write_text(yaml.safe_dump(project))
    command = [
        sys.executable,
        "-m",
        "nvflare.cli",
        "provision",
        "-p",
        str(directory / "project.yml"),
        "-w",
        str(directory),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory / project["name"] / "prod_00"


def resources(kits, name):
    """A kit's settings."""
    return json.loads((kits / name / "local" / "resources.json.default").read_text())


def widgets(resources):
    """The log widgets among a kit's components: class and arguments."""
    return [(c["path"], c["args"]) for c in resources["components"] if "Log" in c["path"]]


def test_a_site_streams_its_logs(kits):
    """One widget for each log, in place of FLARE's."""
    assert widgets(resources(kits, "site-1")) == [
        ("fedtail.flare.SiteLogStreamer", {"log_file_name": "log.txt"}),
        ("fedtail.flare.SiteLogStreamer", {"log_file_name": "error_log.txt"}),
    ]


def test_a_site_that_forbids_streaming_still_has_the_widget_that_enforces_it(kits):
    """It removes streamers that jobs bring with them."""
    settings = resources(kits, "site-2")
    assert settings["allow_log_streaming"] is False
    assert len(widgets(settings)) == 2
    assert resources(kits, "site-1")["allow_log_streaming"] is True


def test_the_server_receives(kits):
    """With our receiver alone: two would both file."""
    assert widgets(resources(kits, "localhost")) == [("fedtail.flare.JobLogReceiver", {})]


def test_jobs_without_code_of_their_own_may_use_the_widgets(kits):
    """FLARE refuses classes that a site did not allow; all others that it allows by default stay."""
    from nvflare.app_common.default_component_policy import DEFAULT_CLASS_ALLOW_LIST

    for name in ("localhost", "site-1", "site-2"):
        assert resources(kits, name)["class_allow_list"] == [*DEFAULT_CLASS_ALLOW_LIST, "fedtail.flare"]


def test_a_builder_at_the_wrong_place_says_where_it_belongs(tmp_path):
    """Before the file is there."""
    project = yaml.safe_load((EXAMPLES / "project.yml").read_text())
    builders = project["builders"]
    builders.insert(1, builders.pop(2))
    (tmp_path / "project.yml").write_text(yaml.safe_dump(project))
    command = [
        sys.executable,
        "-m",
        "nvflare.cli",
        "provision",
        "-p",
        str(tmp_path / "project.yml"),
        "-w",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
    assert "LogStreamingBuilder must stand after StaticFileBuilder in project.yml" in done.stdout + done.stderr
