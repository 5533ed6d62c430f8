"""What can't be used is said in words, at once, and nothing is begun."""

from __future__ import annotations

import os
from typing import Any, Callable

import pytest

import fedtail
from authority import Authority
from place import Place


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "it is empty"),
        ("..", "it names a directory"),
        ("a/b", "it has a path separator in it"),
        ("a\nb", "it has a control character in it"),
        ("x" * 256, "it is longer than 255 bytes"),
    ],
)
def test_a_bad_name_is_refused_with_the_rule_that_it_breaks(
    place: Place, server: fedtail.Server, site: fedtail.Site, name: str, rule: str
) -> None:
    """The rules are the host's, for jobs, logs and sites alike."""
    calls: dict[str, Callable[[], object]] = {
        "job": lambda: site.stream(place.directory / "log.txt", job=name),
        "log": lambda: site.stream(place.directory / "log.txt", job="job-1", name=name),
        "site": lambda: server.connect(name, object()),  # type: ignore[arg-type]
    }
    for kind, call in calls.items():
        with pytest.raises(ValueError) as refused:
            call()
        assert str(refused.value).startswith(f"the {kind} name ") and rule in str(refused.value)
    assert os.listdir(place.store) == [".fedtail"], "no connection was served"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"server": "https://localhost:1"}, "https:// needs --ca, --cert and --key"),
        ({"server": "ftp://localhost"}, "it has to begin with https:// or http://"),
        ({"server": "http://example.org"}, "without TLS only this machine's loopback is used"),
        ({"server": "http://localhost:1", "site": None}, "without TLS the site says its own name: give site="),
        ({"ca": "ca.pem"}, "ca=, cert= and key= belong together"),
        ({"site": "a/b"}, 'the site name "a/b" is refused: it has a path separator in it'),
        ({"liveness_interval": 0.0}, "the liveness interval is 0"),
        ({"poll_interval": -1.0}, "poll_interval=-1 is no time: give a number of seconds"),
        ({"poll_interval": float("nan")}, "poll_interval=NaN is no time: give a number of seconds"),
        ({"policy_settings": {"level": "ERROR"}}, "the built-in policy has no settings"),
        ({"policy": "."}, "policies.toml"),
        ({"policy": ".", "policy_settings": {"level": "ERROR"}}, "put it into its policies.toml"),
    ],
)
def test_a_site_that_cannot_be_is_refused(arguments: dict[str, Any], words: str) -> None:
    arguments = {"server": "http://127.0.0.1:1", "site": "site-1", **arguments}
    with pytest.raises(ValueError) as refused:
        fedtail.Site(arguments.pop("server"), **arguments)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"listen": "somewhere"}, 'listen="somewhere" is no address and port: give one like "0.0.0.0:7443"'),
        ({"listen": "0.0.0.0:0"}, "there is no TLS: give ca=, cert= and key=, or listen on 127.0.0.1"),
        ({"durability": "eternal"}, 'durability="eternal" is neither "process" nor "flush"'),
        ({"idle_timeout": 0.0}, "the idle timeout is 0"),
        ({"late_grace": float("inf")}, "late_grace=inf is no time"),
        ({"site_names": ["site-["]}, 'site-['),
    ],
)
def test_a_server_that_cannot_be_is_refused_and_frees_its_store(
    place: Place, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError) as refused:
        fedtail.Server(place.store, **arguments)
    assert words in str(refused.value)
    fedtail.Server(place.store).close()


def test_certificates_without_an_address_to_listen_on_mean_nothing(place: Place, authority: Authority) -> None:
    with pytest.raises(ValueError, match="give listen= too"):
        fedtail.Server(place.store, **authority.files("server"))


def test_a_key_of_another_certificate_is_named(place: Place, authority: Authority) -> None:
    files = {**authority.files("site-1"), "key": authority.files("site-2")["key"]}
    with pytest.raises(ValueError) as refused:
        fedtail.Site("https://localhost:1", **files)
    assert "does not belong to the certificate" in str(refused.value) and "site-2.key" in str(refused.value)


def test_with_certificates_the_site_does_not_name_itself(authority: Authority) -> None:
    with pytest.raises(ValueError, match="the certificate says the site's name"):
        fedtail.Site("https://localhost:1", site="site-9", **authority.files("site-1"))


def test_a_port_that_is_taken_is_named_and_the_store_is_freed(place: Place, server: fedtail.Server) -> None:
    assert server.address
    taken = server.address.rsplit("/", 1)[-1]
    other = place.directory / "other"
    with pytest.raises(OSError, match="another program uses this port") as refused:
        fedtail.Server(other, listen=taken)
    assert taken in str(refused.value)
    fedtail.Server(other).close()


def test_a_log_in_a_directory_that_is_not_there_is_named(place: Place, site: fedtail.Site) -> None:
    with pytest.raises(FileNotFoundError) as refused:
        site.stream(place.directory / "none" / "log.txt", job="job-1")
    assert str(refused.value) == f"there is no directory {place.directory}/none; create it, or check the log's path"


def test_what_is_neither_a_url_nor_a_transport_is_refused() -> None:
    with pytest.raises(TypeError, match="neither a URL nor a fedtail.Transport"):
        fedtail.Site(7)  # type: ignore[arg-type]


def test_names_that_are_one_text_are_not_taken_apart(place: Place) -> None:
    """Else ``site_names="site-*"`` would mean five names of one character, one of them ``*``."""
    with pytest.raises(TypeError):
        fedtail.Server(place.store, site_names="site-*")
    fedtail.Server(place.store).close()


def test_what_is_closed_says_so(place: Place) -> None:
    server = fedtail.Server(place.store)
    site = fedtail.Site("http://127.0.0.1:1", site="site-1")
    for _ in range(2):
        site.close()
        server.close()
    with pytest.raises(RuntimeError, match="this site is closed: make a new one"):
        site.stream(place.log(), job="job-1")
    with pytest.raises(RuntimeError, match="this server is closed: make a new one"):
        server.logs()
