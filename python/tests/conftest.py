"""What all tests share: a place for a site and a server, and certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

import fedtail
from authority import Authority
from place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def server(place: Place) -> Iterator[fedtail.Server]:
    with place.server() as server:
        yield server


@pytest.fixture
def site(server: fedtail.Server) -> Iterator[fedtail.Site]:
    assert server.address
    site = fedtail.Site(server.address, site="site-1", poll_interval=0.02)
    yield site
    site.close(1.0)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
