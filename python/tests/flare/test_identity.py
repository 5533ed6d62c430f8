"""Whose log it is: what FLARE has authenticated decides, whatever a message says."""

import pytest
from fedtail.flare import JobLogReceiver, JobLogStreamer
from fedtail.flare.cell import CHANNEL, CellTransport
from fedtail.flare.identity import site_of
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import CellMessageAuthHeaderKey
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, MessagePropKey
from nvflare.fuel.f3.endpoint import Endpoint
from nvflare.fuel.f3.message import Message

from engine import fire
from federation import until

JOB = "job-1"


class Client:
    """A client that FLARE's server has registered."""

    def __init__(self, name, fqcn=None):
        self.name = name
        self._fqcn = fqcn or name

    def get_fqcn(self):
        return self._fqcn


CLIENTS = [Client("site-1"), Client("site-2"), Client("relay"), Client("site-3", "relay.site-3")]


def message(origin, neighbour=None, client_name=None):
    """A message as it comes in: FLARE sets the neighbour, and in secure mode checks the client's name by the token."""
    headers = {MessageHeaderKey.ORIGIN: origin}
    if client_name:
        headers[CellMessageAuthHeaderKey.CLIENT_NAME] = client_name
    made = Message(headers, b"")
    made.set_prop(MessagePropKey.ENDPOINT, Endpoint(neighbour or origin))
    return made


@pytest.mark.parametrize(
    "origin, neighbour, site",
    [
        ("site-1.job-1", "site-1.job-1", "site-1"),
        ("site-1.job-1", "site-1", "site-1"),
        ("site-1.job-1", "server", "site-1"),
        ("site-1", "site-1", "site-1"),
        ("relay.site-3.job-1", "relay", "site-3"),
        ("server.job-1", "server.job-1", "server"),
    ],
)
def test_a_site_is_the_client_at_whose_cell_a_message_began(origin, neighbour, site):
    """Its parent's cell, its jobs' cells, also behind a relay or through the server."""
    assert site_of(message(origin, neighbour), CLIENTS) == site


@pytest.mark.parametrize(
    "origin, neighbour, client_name, words",
    [
        (
            "site-1.job-1",
            "site-2.job-1",
            None,
            "says that it is from FLARE's cell site-1.job-1, and came from site-2.job-1",
        ),
        ("site-1.job-1", "site-2", "site-2", "and came from site-2"),
        ("site-1.job-1", "server", "site-2", "belongs to the site site-1, and the message was sent by site-2"),
        ("server", "site-2", "site-2", "says that it is from FLARE's cell server, and came from site-2"),
    ],
)
def test_a_message_that_contradicts_itself_is_refused(origin, neighbour, client_name, words):
    """One site as another, or as the server. The third passes FLARE's own check when a token's client has lapsed."""
    with pytest.raises(PermissionError, match=words):
        site_of(message(origin, neighbour, client_name), CLIENTS)


def test_a_cell_of_no_client_is_asked_to_try_again():
    """After a server's restart its clients register one after the other.
    (Unlike test_job_log_receiver_does_not_warn_when_client_not_registered: FLARE's takes what nobody vouches for.)"""
    with pytest.raises(ConnectionError, match="no client is registered at FLARE's cell site-9.job-1"):
        site_of(message("site-9.job-1"), CLIENTS)


def test_a_site_can_not_write_as_another(network, logs):
    """It forges the origin of its messages, in a network without FLARE's authentication: refused in words, and no file
    of the other site is made. FLARE's own receiver takes the name from the message's peer properties."""
    server = network.server()
    for site in ("site-1", "site-2"):
        server.register(site)
    server.add_job(JOB)
    fire(JobLogReceiver(), EventType.SYSTEM_START, server)
    thief = network.site_job("site-2", JOB)
    core = thief.cell.core_cell
    core.add_outgoing_request_filter(
        CHANNEL, "*", lambda message: message.set_header(MessageHeaderKey.ORIGIN, f"site-1.{JOB}")
    )
    (network.directory / "site-2" / JOB / "log.txt").write_text("not of site-1\n")
    streamer = JobLogStreamer(finish_timeout=5.0)
    fire(streamer, EventType.START_RUN, thief)
    fire(streamer, EventType.ABOUT_TO_END_RUN, thief)
    fire(streamer, EventType.END_RUN, thief)
    assert logs.having(f"a message says that it is from FLARE's cell site-1.{JOB}, and came from site-2.{JOB}")
    assert not (network.directory / "server" / "live_logs" / JOB / "site-1").exists()
    assert not (network.directory / "server" / "live_logs" / JOB / "site-2").exists()


def test_a_third_cell_can_not_write_to_a_connection(network, logs):
    """Not even one that knows the connection's number."""
    server = network.server()
    got = []

    class Host:
        def deliver(self, message):
            got.append(message)

        def close(self, reason=None):
            got.append(reason)

    from fedtail.flare.cell import Exchange

    Exchange.of(server.cell).listen(lambda request, line: Host())
    site, thief = network.site_job("site-1", JOB), network.site_job("site-2", JOB)
    line = CellTransport(site.cell, ["server"]).connect(Host())
    line.send(b"one")
    until(lambda: got == [b"one"], "the first message")
    (connection,) = Exchange.of(server.cell)._lines
    headers = {"fedtail_connection": connection, "fedtail_number": 2}
    thief.cell.core_cell.fire_and_forget(CHANNEL, "data", "server", Message(dict(headers), b"forged"))
    thief.cell.core_cell.fire_and_forget(CHANNEL, "close", "server", Message(dict(headers), b""))
    line.send(b"two")
    until(lambda: got == [b"one", b"two"], "the second message, and nothing else")
