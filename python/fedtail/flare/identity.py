"""Which site a message of FLARE's cell network comes from, and which site this process belongs to.

The peer properties of a FLARE message are whatever its sender put there. What FLARE itself vouches for is the
message's origin: the server checks that the sender's token is its own, and that the token's client is registered at the
cell that the message says it comes from. So the name of a site is looked up by the origin, and everything else must
agree with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nvflare.apis.fl_constant import CellMessageAuthHeaderKey, FLContextKey, SiteType
from nvflare.apis.fl_context import FLContext
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, MessagePropKey
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.fuel.f3.message import Message


def site_of(message: Message, clients: Iterable[Any]) -> str:
    """The name of the site that sent a message.

    :param clients: FLARE's registered clients, each with `name` and `get_fqcn()`
    :raises PermissionError: the message contradicts itself
    :raises ConnectionError: no such client is registered now
    """
    origin = message.get_header(MessageHeaderKey.ORIGIN) or ""
    _check_neighbour(message, origin)
    if FQCN.split(origin)[0] == FQCN.ROOT_SERVER:
        return str(SiteType.SERVER)
    names = [client.name for client in clients if _is_of(origin, client.get_fqcn())]
    if not names:
        raise ConnectionError(f"no client is registered at FLARE's cell {origin}")
    # A relay is an ancestor of the cells behind it; the client is the one nearest to the origin.
    name: str = max(names, key=lambda name: len(_cell_of(name, clients)))
    # The header that FLARE checks the token against. A client whose registration has lapsed keeps a token that is
    # valid, and FLARE no longer binds it to a cell: only this comparison does.
    claimed = message.get_header(CellMessageAuthHeaderKey.CLIENT_NAME)
    if claimed and claimed != name:
        raise PermissionError(
            f"FLARE's cell {origin} belongs to the site {name}, and the message was sent by {claimed}"
        )
    return name


def own_site(fl_ctx: FLContext) -> str:
    """The name of the site that this process belongs to; empty where FLARE has none yet."""
    # Events of a client's parent process may have the name in a property of their own only.
    return str(fl_ctx.get_identity_name(default="") or fl_ctx.get_prop(FLContextKey.CLIENT_NAME, ""))


def job_of(message: Message) -> str:
    """The job that the sender's cell runs, or an empty string for a parent's cell."""
    path: list[str] = FQCN.split(message.get_header(MessageHeaderKey.ORIGIN) or "")
    return path[-1] if len(path) > 1 else ""


def _is_of(origin: str, cell: str | None) -> bool:
    return bool(cell) and (origin == cell or FQCN.is_ancestor(cell, origin))


def _cell_of(name: str, clients: Iterable[Any]) -> str:
    return str(next(client.get_fqcn() for client in clients if client.name == name))


def _check_neighbour(message: Message, origin: str) -> None:
    # Who delivered it: the origin itself, a cell above it, or the server, which checked the origin before it passed the
    # message on. A site's own process can't be anything else, whatever it writes into the message; this holds also in
    # the simulator, where FLARE checks no token.
    endpoint = message.get_prop(MessagePropKey.ENDPOINT)
    if endpoint is None:
        return
    neighbour = endpoint.name
    if neighbour == origin or FQCN.is_ancestor(neighbour, origin) or neighbour == FQCN.ROOT_SERVER:
        return
    raise PermissionError(f"a message says that it is from FLARE's cell {origin}, and came from {neighbour}")
