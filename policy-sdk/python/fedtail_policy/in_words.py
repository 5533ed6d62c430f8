"""Errors of a policy become the contract's: words."""

import traceback

from componentize_py_types import Err

from .host import Refused


class in_words:
    """Around what a policy does in a step."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            return False
        if isinstance(error, (ValueError, Refused)):
            raise Err(str(error)) from error
        # The whole of it goes to the host's log, a line at a time.
        traceback.print_exception(kind, error, trace)
        raise Err(f"{kind.__name__}: {error}") from error
