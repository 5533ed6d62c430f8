"""The example `redact` once more, in Python: takes e-mail addresses, IP addresses and patient-like ids out of each line before
it leaves the site.

Its settings are those of the one in Rust:

- `email = off`, `ip = off`, `patient = off` leave such things in;
- `pattern.NAME = REGEX` takes out what matches, too; `[NAME]` stands in its place. Patterns are Python's, over bytes.
"""

import re

from fedtail_policy import Lines

# What is taken out without being asked for: the name that switches it off, the pattern, and what stands in its place.
BUILT_IN = (
    ("email", rb"(?i)[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+", rb"[email]"),
    (
        "ip",
        rb"(?xi) \b (?: (?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d) \. ){3} (?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d) \b"
        rb"| \b (?:[0-9a-f]{1,4}:){7} [0-9a-f]{1,4} \b"
        rb"| \b [0-9a-f]{1,4} (?: : [0-9a-f]{1,4} ){0,6} :: (?: [0-9a-f]{1,4} (?: : [0-9a-f]{1,4} ){0,6} \b )?",
        rb"[ip]",
    ),
    (
        "patient",
        rb"""(?ix) (?P<keep> \b (?: patient | subject | mrn | pat ) (?: [ _-]? (?: id | no | number ) )?
                     ["']? \s* [\s:=\#_-] \s* ["']? ) [a-z_.-]* \d [a-z0-9_.-]*
            | \b (?P<sub> sub- ) \d+ \b
            | \b \d{3} - \d{2} - \d{4} \b""",
        rb"\g<keep>\g<sub>[patient]",
    ),
)


class Redact(Lines):
    def __init__(self, settings):
        self.patterns = []
        for name, pattern, instead in BUILT_IN:
            switch = settings.take(name, "on")
            if switch not in ("on", "off"):
                raise ValueError(f"the setting `{name}` is {switch!r}, and has to be on or off")
            if switch == "on":
                self.patterns.append((re.compile(pattern), instead))
        for name, pattern in settings.take_all("pattern."):
            try:
                compiled = re.compile(pattern.encode())
            except re.error as error:
                raise ValueError(f"the setting `pattern.{name}` is no pattern: {error}") from None
            self.patterns.append((compiled, f"[{name}]".encode().replace(b"\\", b"\\\\")))

    def line(self, line):
        # The line feed is no part of what a pattern sees, so none can join two lines.
        text = line.removesuffix(b"\n")
        end = line[len(text) :]
        for pattern, instead in self.patterns:
            text = pattern.sub(instead, text)
        return text + end

    # What is not seen whole can't be judged.
    def rest(self, rest):
        return b"[the rest of a line was withheld]" + (b"\n" if rest.endswith(b"\n") else b"")
