"""A process's connections to where its logs go, shared by all streamers that would make the same one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.workspace import Workspace
from nvflare.fuel.f3.cellnet.fqcn import FQCN

import fedtail

from .cell import CellTransport
from .identity import own_site
from .startup_kit import Certificates, certificates


@dataclass(frozen=True)
class Destination:
    """Where logs go, and which policy decides about them.

    :param server: an address for gRPC such as `https://server.example:7443`; None for FLARE's own network
    :param cells: without a server: the names of the cells to try
    :param policy: what `fedtail.Site` takes
    """

    server: str | None
    cells: tuple[str, ...]
    policy: str | None


def cells_of_job(job_id: str, parent_only: bool) -> tuple[str, ...]:
    """The cells in which a receiver of this job's logs may be, the one to prefer first.

    The server's parent process outlives the processes of its jobs: what it receives also survives a job that ends, or
    is replaced, while sites still send. So its receiver is preferred to the job's own.
    """
    return (FQCN.ROOT_SERVER,) if parent_only else (FQCN.ROOT_SERVER, FQCN.join([FQCN.ROOT_SERVER, job_id]))


class Connection:
    """The right to use a shared site; give it back with :meth:`close`."""

    _shared: dict[tuple[Destination, int], list[Any]] = {}
    _lock = threading.Lock()

    def __init__(self, destination: Destination, fl_ctx: FLContext):
        """Shares the process's connection to this destination, or makes it.

        :raises ValueError: a policy or certificate is not what it should be, in the host's words
        """
        cell = fl_ctx.get_engine().get_cell()
        # A process that is started anew for the next job in the simulator has another cell.
        self._key = (destination, 0 if destination.server else id(cell))
        with self._lock:
            shared = self._shared.get(self._key)
            if shared is None:
                shared = self._shared[self._key] = [_site(destination, cell, fl_ctx), 0]
            shared[1] += 1
        self.site: fedtail.Site = shared[0]

    def close(self) -> None:
        """Gives it back. The last one closes the connection."""
        with self._lock:
            shared = self._shared[self._key]
            shared[1] -= 1
            if shared[1]:
                return
            del self._shared[self._key]
        shared[0].close()


def _site(destination: Destination, cell: Any, fl_ctx: FLContext) -> fedtail.Site:
    policy = destination.policy
    if destination.server is None:
        # All processes of a site mark files with the kit's key: what one has sent the next one knows, and the server
        # can't guess at what it was not sent. In the simulator there is no kit.
        try:
            key = _kit(fl_ctx).key
        except ValueError:
            key = None
        return fedtail.Site(CellTransport(cell, list(destination.cells)), key=key, policy=policy)
    if not destination.server.startswith("https://"):
        return fedtail.Site(destination.server, site=own_site(fl_ctx), policy=policy)
    kit = _kit(fl_ctx)
    return fedtail.Site(destination.server, ca=kit.ca, cert=kit.cert, key=kit.key, policy=policy)


def _kit(fl_ctx: FLContext) -> Certificates:
    try:
        workspace = Workspace(root_dir=fl_ctx.get_prop(FLContextKey.WORKSPACE_ROOT), site_name=own_site(fl_ctx))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"there is no startup kit: {error}") from None
    return certificates(workspace, server=False)
