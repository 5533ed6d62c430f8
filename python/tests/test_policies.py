"""Policies of a site and a server, from files: the components of an older release, which every host has to run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

import fedtail
from place import PATIENCE, Place, until
from queues import Queues

COMPONENTS = Path(__file__).parents[2] / "tests" / "fixtures" / "0.1.0"
#: Lets only what is a warning or worse leave; its setting `level` says otherwise.
LEVEL = COMPONENTS / "streamer.wasm"
#: Numbers lines, with its setting `tag` behind the number, and hands the number on.
NUMBERING = COMPONENTS / "stateful-streamer.wasm"
#: Takes so many bytes of a site and job.
QUOTA = COMPONENTS / "receiver.wasm"

RECORDS = (
    "2026-11-24 03:31:44,470 - Trainer - INFO - patient 7\n"
    "2026-11-24 03:31:45,001 - Trainer - ERROR - the loss is not a number\n"
)


def put(component: Path, place: Path) -> None:
    """Puts a file in place in one step, as one does where it is watched."""
    draft = place.with_suffix(".draft")
    shutil.copyfile(component, draft)
    os.replace(draft, place)


def test_a_policy_decides_what_leaves_and_the_server_knows_which(place: Place, server: fedtail.Server) -> None:
    assert server.address
    with fedtail.Site(server.address, site="site-1", policy=LEVEL, policy_settings={"level": "ERROR"}) as site:
        assert site.stream(place.log(RECORDS), job="job-1").finish(PATIENCE).complete
    assert place.stored() == RECORDS.splitlines(keepends=True)[1]
    (log,) = server.logs()
    assert log.policies == [(0, hashlib.sha256(LEVEL.read_bytes()).hexdigest())]


def test_a_policy_is_replaced_while_the_log_flows(place: Place, server: fedtail.Server) -> None:
    """The stream goes over to what is put in the file's place, and nothing is sent twice or left out."""
    policy = place.directory / "policy.wasm"
    put(LEVEL, policy)
    log = place.log(RECORDS)
    with fedtail.Site(Queues(server), policy=policy, cache=place.directory / "cache") as site:
        stream = site.stream(log, job="job-1", poll_interval=0.02)
        until("the error is stored", lambda: (place.stored() or "").endswith("the loss is not a number\n"))
        assert not site.reload_policies()
        put(NUMBERING, policy)
        assert site.reload_policies()
        with log.open("a") as more:
            more.write("2026-11-24 03:31:46,002 - Trainer - INFO - round 2\n")
        until("the new policy has sent something", lambda: (place.stored() or "").endswith("INFO - round 2\n"))
        assert stream.finish(PATIENCE).complete
    (stored,) = server.logs()
    digests = [hashlib.sha256(component.read_bytes()).hexdigest() for component in (LEVEL, NUMBERING)]
    assert [digest for _begin, digest in stored.policies] == digests
    assert stored.policies[1][0] == len(RECORDS.splitlines(keepends=True)[1])
    assert os.listdir(place.directory / "cache"), "compiled policies are kept there"


def test_a_policy_that_is_not_taken_changes_nothing(place: Place, server: fedtail.Server) -> None:
    policy = place.directory / "policy.wasm"
    policy.write_text("not a component")
    with pytest.raises(ValueError) as refused:
        fedtail.Site(Queues(server), policy=policy)
    assert str(policy) in str(refused.value), refused.value
    put(LEVEL, policy)
    with fedtail.Site(Queues(server), policy=policy) as site:
        policy.write_text("not a component")
        with pytest.raises(ValueError, match="policy.wasm"):
            site.reload_policies()
        assert site.stream(place.log(RECORDS), job="job-1").finish(PATIENCE).complete
    assert place.stored() == RECORDS.splitlines(keepends=True)[1]


def test_a_setting_that_the_policy_does_not_know_is_told_in_its_words(place: Place, server: fedtail.Server) -> None:
    with fedtail.Site(Queues(server), policy=LEVEL, policy_settings={"level": "LOUD"}) as site:
        outcome = site.stream(place.log(RECORDS), job="job-1").finish(PATIENCE)
    assert outcome.ending == "failed" and "has to be DEBUG, INFO, WARNING" in outcome.reason, outcome
    assert place.stored() in (None, "")


def test_a_directory_gives_each_job_its_policy(place: Place, server: fedtail.Server) -> None:
    policies = place.directory / "policies"
    policies.mkdir()
    shutil.copyfile(LEVEL, policies / "level.wasm")
    shutil.copyfile(NUMBERING, policies / "numbering.wasm")
    (policies / "policies.toml").write_text(
        '[[policy]]\nfile = "numbering.wasm"\njobs = ["debug-*"]\nsettings = { tag = "d" }\n\n[[policy]]\nfile = "level.wasm"\n'
    )
    with fedtail.Site(Queues(server), policy=policies) as site:
        streams = [site.stream(place.log(RECORDS, job), job=job, name="log") for job in ("debug-1", "job-1")]
        assert all(stream.finish(PATIENCE).complete for stream in streams)
    info, error = RECORDS.splitlines(keepends=True)
    assert place.stored("job-1", log="log") == error
    assert place.stored("debug-1", log="log") == f"1d:{info}2d:{error}"


def test_a_server_has_a_policy_too(place: Place) -> None:
    with place.server(listen=None, policy=QUOTA, policy_settings={"logs": "1"}) as server:
        with fedtail.Site(Queues(server)) as site:
            assert site.stream(place.log("one\n", "a"), job="job-1").finish(PATIENCE).complete
            outcome = site.stream(place.log("two\n", "b"), job="job-1").finish(PATIENCE)
            assert not server.reload_policies()
    assert outcome.ending == "refused" and "1" in outcome.reason, outcome
    assert place.stored(log="b") in (None, "")


def test_what_left_is_audited_until_the_site_is_closed(place: Place, server: fedtail.Server) -> None:
    audit = place.directory / "audit.jsonl"
    with fedtail.Site(Queues(server), audit=audit) as site:
        assert site.stream(place.log("one\n"), job="job-1").finish(PATIENCE).complete
        with pytest.raises(OSError, match="in use by another process"):
            fedtail.Site(Queues(server), audit=audit)
    entries = [json.loads(line) for line in audit.read_text().splitlines()]
    sent = [entry for entry in entries if entry.get("event") == "sent"]
    assert [(entry["log"], entry["from"], entry["to"]) for entry in sent] == [("job-1/log.txt", 0, 4)], entries
