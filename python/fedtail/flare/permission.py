"""Whether a site lets logs leave at all: `allow_log_streaming` in the `resources.json` of its startup kit.

Streaming is allowed where nothing is said, as in FLARE. What can't be read or understood is a no: a site that wrote
something there meant something by it.
"""

from __future__ import annotations

import json
import os
from typing import Any

from nvflare.apis.fl_constant import FLContextKey, SystemConfigs
from nvflare.apis.fl_context import FLContext
from nvflare.apis.workspace import Workspace
from nvflare.fuel.utils.config_service import ConfigService

from .identity import own_site

#: The setting's name, which is FLARE's.
ALLOW_LOG_STREAMING = "allow_log_streaming"


def refusal_of_site(fl_ctx: FLContext) -> str | None:
    """Why this site's logs must not be streamed, in words; None when they may.

    Both what FLARE loaded at its start and the file as it is now are asked, so that a no holds from the moment when it
    is written.
    """
    loaded = ConfigService.get_bool_var(name=ALLOW_LOG_STREAMING, conf=SystemConfigs.RESOURCES_CONF, default=None)
    if loaded is False:
        return f"'{ALLOW_LOG_STREAMING}' is false in the resources.json that FLARE loaded"
    path = _resources_file(fl_ctx)
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            resources = json.load(file)
    except (OSError, ValueError) as error:
        return f"{path} can't be read, so whether the site allows log streaming is not known: {error}"
    if not isinstance(resources, dict):
        return f"{path} is not a JSON object, so whether the site allows log streaming is not known"
    return refusal_of(resources, path)


def refusal_of(config: dict[str, Any], where: str) -> str | None:
    """Why these settings of a site forbid streaming, in words; None when they do not. `where` is for the words."""
    value = config.get(ALLOW_LOG_STREAMING, True)
    if value is True:
        return None
    if value is False:
        return f"'{ALLOW_LOG_STREAMING}' is false in {where}"
    return f"'{ALLOW_LOG_STREAMING}' is {value!r} in {where}, which is neither true nor false"


def _resources_file(fl_ctx: FLContext) -> str | None:
    root = fl_ctx.get_prop(FLContextKey.WORKSPACE_ROOT)
    site = own_site(fl_ctx)
    if not root or not site:
        return None
    try:
        path = Workspace(root_dir=root, site_name=site).get_resources_file_path()
    except (ValueError, RuntimeError):
        # A workspace without the folders of a startup kit, as some simulations have, has no settings of a site either.
        return None
    return path if path and os.path.exists(path) else None
