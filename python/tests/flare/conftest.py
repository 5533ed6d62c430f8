"""What the tests of the FLARE widgets share: they need nvflare, which is installed in an environment of its own."""

import importlib.util

if importlib.util.find_spec("nvflare") is None:
    collect_ignore_glob = ["*"]
