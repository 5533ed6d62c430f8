"""The edit of a job's configuration: what is declared, and that nothing else in the file changes."""

import json
import os
import stat

import pytest
from fedtail.flare import job_config
from fedtail.flare.job_config import STREAMER, JobConfig

FLARES_OWN = "nvflare.app_common.logging.job_log_streamer.JobLogStreamer"

WRITTEN_BY_HAND = """{
   "format_version": 2,
   "weight": 1.50e2,  "executors": [ {"tasks": ["train"]} ],
   "components": [
      { "id": "a", "path": "some.Thing",
        "args": {"x": 1} }
   ],
   "z": "\\u00e4", "empty": [ ]
}
"""


def test_a_streamer_is_added_and_every_other_byte_stays():
    """Order of keys, indentation, the way that numbers and letters are written: all as before."""
    config = JobConfig(WRITTEN_BY_HAND)
    assert config.add({"log_file_name": "error_log.txt"})

    before, after = WRITTEN_BY_HAND.split('"args": {"x": 1} }')
    assert config.text.startswith(before + '"args": {"x": 1} },\n      {\n         "id": "job_log_streamer",\n')
    assert config.text.endswith("      }" + after)
    added = json.loads(config.text)["components"][1]
    assert added == {"id": "job_log_streamer", "path": STREAMER, "args": {"log_file_name": "error_log.txt"}}


def test_adding_again_changes_nothing():
    """A job that is launched again has one streamer."""
    config = JobConfig(WRITTEN_BY_HAND)
    assert config.add({})
    text = config.text
    assert not config.add({})
    assert config.text == text


@pytest.mark.parametrize("text", [WRITTEN_BY_HAND, '{"components": [{"id": "a", "path": "x.Y"}]}', '{\n\t"a": [1]\n}'])
def test_several_logs_have_a_component_each_and_removing_them_restores_the_file(text):
    """Each log has its own streamer and id. What is no streamer stays, so the rest is as before."""
    config = JobConfig(text)
    for log in ("log.txt", "error_log.txt", "metrics.csv"):
        assert config.add({"log_file_name": log})
    components = json.loads(config.text)["components"]
    assert [c["id"] for c in components[-3:]] == ["job_log_streamer", "job_log_streamer_2", "job_log_streamer_3"]

    assert config.remove_streamers() == 3
    without = json.loads(config.text)
    assert without.pop("components", None) in (json.loads(text).get("components"), [])
    if "components" in json.loads(text):
        assert config.text == text


@pytest.mark.parametrize(
    "declared",
    [
        {"path": FLARES_OWN},
        {"name": "JobLogStreamer"},
        {"path": FLARES_OWN, "args": {"log_file_name": "log.txt"}},
        {"path": STREAMER, "args": {}},
        {"path": "fedtail.flare.job_log_streamer.JobLogStreamer"},
        {"class_path": STREAMER},
    ],
)
def test_a_declared_streamer_of_the_same_log_is_enough(declared):
    """FLARE's own too, in each way to name it; another log still gets its own."""
    config = JobConfig(json.dumps({"components": [declared]}))
    assert not config.add({})
    assert config.add({"log_file_name": "error_log.txt"})
    assert config.remove_streamers() == 2
    assert json.loads(config.text) == {"components": []}


@pytest.mark.parametrize(
    "other",
    [{"path": STREAMER, "disabled": True}, {"path": "", "name": "JobLogStreamer"}, {"path": "some.JobLogStreamerOf"}],
)
def test_what_flare_would_not_make_a_streamer_of_is_none(other):
    """A disabled component, and one whose first way to name a class names another one: FLARE goes by the first that is there."""
    config = JobConfig(json.dumps({"components": [other]}))
    assert config.remove_streamers() == 0
    assert config.add({})


@pytest.mark.parametrize("text", ["{}", '{"components": null, "k": 1}', '{"components": []}', '{\r\n  "a": 1\r\n}\r\n'])
def test_a_job_without_components_gets_them(text):
    """Also where the key is missing, empty or null, in the file's own line ends."""
    config = JobConfig(text)
    assert config.add({})
    assert len(json.loads(config.text)["components"]) == 1
    assert config.text.count("\n") == config.text.count("\r\n") or "\r" not in text


@pytest.mark.parametrize(
    "text, words",
    [
        ("[]", "not a JSON object"),
        ('{"a": 1', "it is not JSON: Expecting ',' delimiter: line 1 column 8"),
        ("components = []", "it is not JSON"),
        ('{"components": {}}', "its 'components' are not a list"),
    ],
)
def test_what_is_no_configuration_is_refused_in_words(text, words):
    """The person who reads it learns what and where."""
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        JobConfig(text)


def test_the_file_is_replaced_at_once_and_keeps_its_permissions(tmp_path):
    """A reader sees the old or the new text; nothing else is left in the directory."""
    path = tmp_path / "config_fed_client.json"
    path.write_text("{}")
    path.chmod(0o640)
    before = path.stat().st_ino
    job_config.rewrite(str(path), '{"a": 1}')

    assert path.read_text() == '{"a": 1}'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_ino != before
    assert os.listdir(tmp_path) == [path.name]


def test_a_rewrite_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    """The disk is full at the rename: the job still has its configuration."""
    path = tmp_path / "config_fed_client.json"
    path.write_text("{}")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        job_config.rewrite(str(path), '{"a": 1}')
    assert path.read_text() == "{}"
    assert os.listdir(tmp_path) == [path.name]
