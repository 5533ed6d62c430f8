"""The certificates of a FLARE startup kit."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from nvflare.apis.fl_constant import SecureTrainConst, WorkspaceConstants
from nvflare.apis.workspace import Workspace


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files: the authority's certificate, one's own chain, and its key."""

    ca: str
    cert: str
    key: str


def certificates(workspace: Workspace, server: bool) -> Certificates:
    """The certificates in the kit of this workspace, a server's or a client's.

    :raises ValueError: the kit has none, in words
    """
    startup = workspace.get_startup_kit_dir()
    name = WorkspaceConstants.SERVER_STARTUP_CONFIG if server else WorkspaceConstants.CLIENT_STARTUP_CONFIG
    path = os.path.join(startup, name)
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        section = config["servers"][0] if server else config["client"]
        names = [
            section[part]
            for part in (SecureTrainConst.SSL_ROOT_CERT, SecureTrainConst.SSL_CERT, SecureTrainConst.PRIVATE_KEY)
        ]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"the startup kit names no certificates for a connection of its own: {path}: {error}"
        ) from None
    # The kit's files stand beside its configuration; a name that is absolute stays as it is.
    return Certificates(*(os.path.join(startup, name) for name in names))
