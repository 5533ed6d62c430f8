"""A real federation whose sites send over gRPC with their startup kits' certificates, and one site that says no."""

import json

import pytest

from federation import Federation, free_port, until, write_job


@pytest.fixture(scope="module")
def federation(tmp_path_factory):
    """Two sites that stream to a port of the receiver's own; site-2 has `allow_log_streaming: false` in the project."""
    port = free_port()
    federation = Federation(
        tmp_path_factory.mktemp("grpc"),
        logs=["log.txt"],
        streamer={"server": f"https://localhost:{port}"},
        receiver={"listen": f"127.0.0.1:{port}"},
        forbid=["site-2"],
    )
    with federation, federation.session() as session:
        federation.flare = session
        yield federation


@pytest.fixture(scope="module")
def job_id(federation, tmp_path_factory):
    """A job that brings FLARE's own streamer with it."""
    own = {"id": "own", "path": "nvflare.app_common.logging.job_log_streamer.JobLogStreamer"}
    own["args"] = {"log_file_name": "metrics.txt"}
    other = {"id": "x", "path": "nvflare.app_common.widgets.convert_to_fed_event.ConvertToFedEvent"}
    other["args"] = {"events_to_convert": ["analytix_log_stats"]}
    job = write_job(tmp_path_factory.mktemp("job"), "grpc", 2, {"megabytes": 1}, client=[other, own])
    job_id = federation.flare.submit_job(str(job))
    federation.flare.monitor_job(job_id, timeout=300)
    return job_id


def test_the_log_arrives_over_grpc(federation, job_id):
    """With mutual TLS, to the last line, and filed with the job as over FLARE's network."""
    stored = federation.stored(job_id, "site-1")

    def same():
        return stored.exists() and stored.read_bytes() == federation.site_log("site-1", job_id)

    until(same, "the log filed as the site has it", 60)
    assert stored.read_bytes().count(b"talkative - INFO") == 1000
    assert "site-1 is connected" in federation.output("localhost")


def test_nothing_leaves_a_site_that_says_no(federation, job_id):
    """No streamer is declared, the job's own is removed and nothing else, and the server has no byte of the site."""
    path = federation.kits / "site-2" / job_id / "app_site-2" / "config" / "config_fed_client.json"
    assert [component["id"] for component in json.loads(path.read_text())["components"]] == ["x"]
    assert f"removed 1 log streamer(s) from job {job_id}: 'allow_log_streaming' is false" in federation.output("site-2")
    assert not list(federation.directory.rglob("*live_logs/*/site-2"))
    assert not federation.stored(job_id, "site-2").exists()
    assert not federation.stored(job_id, "site-2", "metrics.txt").exists()
