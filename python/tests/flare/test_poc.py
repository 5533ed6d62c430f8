"""The widgets in a real federation: `nvflare poc`, a process for each participant and each job, mutual TLS."""

import shutil
from pathlib import Path

import pytest

from federation import Federation, until, write_job

#: The size of each site's log, in megabytes.
LARGE = 50


@pytest.fixture(scope="module")
def federation(tmp_path_factory):
    """A server and two sites with the startup kits of `examples/flare/project.yml`."""
    with Federation(tmp_path_factory.mktemp("federation")) as federation, federation.session() as session:
        federation.flare = session
        yield federation


def run(federation, job):
    """Runs a job to its end, and says its id and how it ended."""
    job_id = federation.flare.submit_job(str(job))
    federation.flare.monitor_job(job_id, timeout=600)
    return job_id, federation.flare.get_job_meta(job_id)["status"]


def filed(federation, job_id, site, log="log.txt"):
    """Waits until the job manager has the whole log as the site has it, and returns its bytes.

    FLARE declares a job finished before the sites' processes have ended, so both sides still grow for a moment.
    """
    stored = federation.stored(job_id, site, log)

    def same():
        return stored.exists() and stored.read_bytes() == federation.site_log(site, job_id, log)

    until(same, f"{log} of {site} filed as the site has it")
    return stored.read_bytes()


def test_large_logs_of_two_sites_arrive_and_are_filed_to_the_last_line(federation, tmp_path):
    """50 MB each, over FLARE's network with mutual TLS, while FLARE rotates the log every 20 MB: what the job manager
    has is what the sites' processes wrote, to the line with which they end."""
    job_id, status = run(federation, write_job(tmp_path, "large", 2, {"megabytes": LARGE}))
    assert status == "FINISHED:COMPLETED"
    for site in federation.sites:
        log = filed(federation, job_id, site)
        assert len(log) > LARGE * 1_000_000
        assert log.count(b"talkative - INFO") == LARGE * 1000
        assert b"END_RUN fired" in log  # written when the widget in the job's process was done
        assert b"what an error log is for" in filed(federation, job_id, site, "error_log.txt")
    federation.large = job_id


def test_download_job_components_finds_what_was_filed(federation, tmp_path):
    """By the command that FLARE's users know, and under the names that FLARE's own receiver gives."""
    job_id, _ = run(federation, write_job(tmp_path, "small", 2, {"megabytes": 0.1}))
    expected = {
        (site, log): filed(federation, job_id, site, log)
        for site in federation.sites
        for log in ("log.txt", "error_log.txt")
    }
    components = federation.flare.list_job_components(job_id)
    names = {f"LOG_log.txt_{site}" for site in federation.sites} | {f"ERRORLOG_{site}" for site in federation.sites}
    assert names <= set(components)

    folder = federation.flare.download_job_components(job_id)
    downloaded = {path.name: path for path in Path(folder).rglob("*") if path.is_file()}
    for site in federation.sites:
        assert downloaded[f"LOG_log.txt_{site}"].read_bytes() == expected[site, "log.txt"]
        assert downloaded[f"ERRORLOG_{site}"].read_bytes() == expected[site, "error_log.txt"]
    shutil.rmtree(folder)


def test_a_job_that_fails_before_its_first_line_of_work_still_reports(federation, tmp_path):
    """A class that does not exist: the job's process never reaches START_RUN; its error log at the server says why."""
    job = write_job(tmp_path, "broken", 2)
    path = job / "app" / "config" / "config_fed_client.json"
    path.write_text(path.read_text().replace("talkative.Talk", "talkative.Missing"))
    job_id = federation.flare.submit_job(str(job))
    for site in federation.sites:
        until(lambda: federation.stored(job_id, site, "error_log.txt").exists(), f"the error log of {site}")
        assert b"Missing" in filed(federation, job_id, site, "error_log.txt")
    federation.flare.abort_job(job_id)


def test_an_aborted_job_sends_its_log_to_the_last_line(federation, tmp_path):
    """The abort ends the run, and not the drain of its log."""
    job = write_job(tmp_path, "aborted", 2, {"megabytes": 0.5}, wait_for_file=tmp_path / "never")
    job_id = federation.flare.submit_job(str(job))
    for site in federation.sites:
        live = federation.live(job_id, site)
        until(
            lambda live=live: live.exists() and b"what an error log is for" in live.read_bytes(), "the site's work", 90
        )
    federation.flare.abort_job(job_id)
    for site in federation.sites:
        log = filed(federation, job_id, site)
        assert b"END_RUN fired" in log


def test_a_killed_process_of_a_job_loses_no_line(federation, tmp_path):
    """SIGKILL while the job runs: what its process wrote is at the server, sent by the site's parent."""
    job = write_job(tmp_path, "killed", 2, {"megabytes": 0.5}, wait_for_file=tmp_path / "never")
    job_id = federation.flare.submit_job(str(job))
    live = federation.live(job_id, "site-1")
    until(lambda: live.exists() and b"what an error log is for" in live.read_bytes(), "the site's work", 90)
    federation.kill_job("site-1", job_id)
    assert filed(federation, job_id, "site-1").endswith(b"\n")
    federation.flare.abort_job(job_id)


def test_a_job_without_code_of_its_own_streams(federation, tmp_path):
    """FLARE then allows only the classes that a site has listed, and the builder has listed ours."""
    from nvflare.app_common.np.np_model_persistor import NPModelPersistor
    from nvflare.app_common.np.np_trainer import NPTrainer
    from nvflare.app_common.workflows.fedavg import FedAvg
    from nvflare.job_config.api import FedJob

    job = FedJob(name="plain", min_clients=2)
    job.to_server(NPModelPersistor(), id="persistor")
    job.to_server(FedAvg(num_clients=2, num_rounds=1, persistor_id="persistor"))
    job.to_clients(NPTrainer(), tasks=["train"])
    job.export_job(str(tmp_path))
    assert not list(tmp_path.rglob("*.py"))
    job_id, status = run(federation, tmp_path / "plain")
    assert status == "FINISHED:COMPLETED"
    for site in federation.sites:
        log = filed(federation, job_id, site)
        assert b"NPTrainer" in log and b"END_RUN fired" in log
