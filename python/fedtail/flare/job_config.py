"""Declares log streamers in a job's `config_fed_client.json`, and removes them, without touching anything else in it.

The file is edited as text at the places that a JSON parser names, so that the order of its keys, its indentation, its
line ends and the way its numbers are written stay as they were.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

#: What an injected component is. FLARE builds a component from its `path` and `args`.
STREAMER = "fedtail.flare.JobLogStreamer"
#: The last part of the class path of each streamer, ours and FLARE's own.
_CLASS = "JobLogStreamer"
_DEFAULT_LOG = "log.txt"
_ID = "job_log_streamer"

_DECODER = JSONDecoder()


@dataclass
class _Value:
    """A JSON value, and where it stands in the text."""

    value: Any
    start: int
    end: int


class JobConfig:
    """The text of a job's client configuration.

    :raises ValueError: it is not a JSON object, or its components are not a list
    """

    def __init__(self, text: str):
        self.text = text
        self._read()

    def _read(self) -> None:
        try:
            if not isinstance(json.loads(self.text), dict):
                raise ValueError("it is not a JSON object")
        except JSONDecodeError as error:
            raise ValueError(f"it is not JSON: {error}") from None
        # From here on the text is known to be right, and only the places of things in it are looked for.
        self._members = _members(self.text, _skip_space(self.text, 0))
        # Of two members of one name JSON readers take the last.
        self._components = self._members.get("components")
        if self._components is not None and self._components.value is not None:
            if not isinstance(self._components.value, list):
                raise ValueError("its 'components' are not a list")
            self._elements = _elements(self.text, self._components.start)
        else:
            self._elements = []

    def streams(self, log_file_name: str) -> bool:
        """Whether a streamer of this log is declared, FLARE's own or ours."""
        return any(_is_streamer(element.value, log_file_name) for element in self._elements)

    def add(self, args: dict[str, Any]) -> bool:
        """Declares a streamer with these arguments, unless one of the same log is there. Says whether it did."""
        if self.streams(args.get("log_file_name", _DEFAULT_LOG)):
            return False
        taken = {str(element.value.get("id")) for element in self._elements if isinstance(element.value, dict)}
        number = next(n for n in range(1, len(taken) + 2) if _numbered(n) not in taken)
        self._insert({"id": _numbered(number), "path": STREAMER, "args": args})
        self._read()
        return True

    def remove_streamers(self) -> int:
        """Removes the streamers of all logs. Says how many there were."""
        found = [n for n, element in enumerate(self._elements) if _is_streamer(element.value)]
        for n in reversed(found):
            # The comma goes with it: the one before, or for the first the one after.
            if n > 0:
                self._splice(self._elements[n - 1].end, self._elements[n].end, "")
            elif len(self._elements) > 1:
                self._splice(self._elements[0].start, self._elements[1].start, "")
            elif self._components is not None:
                self._splice(self._components.start, self._components.end, "[]")
            self._read()
        return len(found)

    def _insert(self, component: dict[str, Any]) -> None:
        newline = "\r\n" if "\r\n" in self.text else "\n"
        if self._elements:
            last = self._elements[-1]
            indent = _indent(self.text, last.start)
            if indent is None:
                self._splice(last.end, last.end, ", " + json.dumps(component))
            else:
                self._splice(last.end, last.end, f",{newline}{indent}" + self._pretty(component, indent, newline))
            return
        first = min((member.key_start for member in self._members.values()), default=None)
        indent = _indent(self.text, first) if first is not None else None
        if indent is None:
            array = f"[{json.dumps(component)}]"
        else:
            inner = indent + self._unit()
            array = f"[{newline}{inner}{self._pretty(component, inner, newline)}{newline}{indent}]"
        if self._components is not None:
            self._splice(self._components.start, self._components.end, array)
        elif not self._members:
            at = _skip_space(self.text, 0) + 1
            self._splice(at, at, f'"components": {array}')
        else:
            at = max(member.end for member in self._members.values())
            before = ", " if indent is None else f",{newline}{indent}"
            self._splice(at, at, f'{before}"components": {array}')

    def _splice(self, start: int, end: int, text: str) -> None:
        self.text = self.text[:start] + text + self.text[end:]

    def _unit(self) -> str:
        """One step of indentation: what the members of the outermost object have."""
        first = min(self._members.values(), key=lambda member: member.key_start)
        return _indent(self.text, first.key_start) or "  "

    def _pretty(self, component: dict[str, Any], indent: str, newline: str) -> str:
        lines = json.dumps(component, indent=self._unit()).split("\n")
        return (newline + indent).join(lines)


def rewrite(path: str, text: str) -> None:
    """Replaces a file by a rename, so that nobody ever reads half of it. Its permissions stay.

    :raises OSError: the file is as it was
    """
    directory = os.path.dirname(os.path.abspath(path))
    mode = os.stat(path).st_mode
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=directory)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(file.fileno(), mode & 0o7777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read(path: str) -> JobConfig:
    """Reads a configuration, with its line ends as they are.

    :raises OSError: it can't be read
    :raises ValueError: it is not what it should be
    """
    with open(path, encoding="utf-8", newline="") as file:
        return JobConfig(file.read())


def _is_streamer(component: Any, log_file_name: str | None = None) -> bool:
    # FLARE does not make a component that is disabled.
    if not isinstance(component, dict) or component.get("disabled") is True:
        return False
    # The first of these that is there counts, also if it is empty: so FLARE finds a component's class.
    path = next((component[key] for key in ("path", "class_path", "name") if key in component), None)
    if not isinstance(path, str) or path.rpartition(".")[2] != _CLASS:
        return False
    args = component.get("args") or {}
    return log_file_name is None or args.get("log_file_name", _DEFAULT_LOG) == log_file_name


def _numbered(number: int) -> str:
    return _ID if number == 1 else f"{_ID}_{number}"


@dataclass
class _Member(_Value):
    key_start: int


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _members(text: str, start: int) -> dict[str, _Member]:
    """The members of the object that begins here."""
    members: dict[str, _Member] = {}
    at = _skip_space(text, start + 1)
    while text[at] != "}":
        key, colon = scanstring(text, at + 1, True)
        value_start = _skip_space(text, _skip_space(text, colon) + 1)
        value, end = _DECODER.raw_decode(text, value_start)
        members[key] = _Member(value, value_start, end, at)
        at = _next(text, end)
    return members


def _elements(text: str, start: int) -> list[_Value]:
    """The elements of the list that begins here."""
    elements = []
    at = _skip_space(text, start + 1)
    while text[at] != "]":
        value, end = _DECODER.raw_decode(text, at)
        elements.append(_Value(value, at, end))
        at = _next(text, end)
    return elements


def _next(text: str, end: int) -> int:
    """Where the next member or element begins, or the closing bracket stands."""
    at = _skip_space(text, end)
    return _skip_space(text, at + 1) if text[at] == "," else at


def _indent(text: str, at: int) -> str | None:
    """What stands before this place on its line, if that is only space."""
    line = text.rfind("\n", 0, at) + 1
    before = text[line:at]
    return before if line > 0 and not before.strip() else None
