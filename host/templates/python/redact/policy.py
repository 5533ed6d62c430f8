"""A streamer policy that takes e-mail addresses, and words that the site chooses, out of each line before it leaves.

Its one setting is `words = "ward-7,smith"`: takes these out, too, also as parts of other words.
"""

import re

from fedtail_policy import Lines

MARK = b"[redacted]"
ADDRESS = re.compile(rb"[^\s@]+@[^\s@]+")


class Redact(Lines):
    def __init__(self, settings):
        words = settings.take("words", "").split(",")
        words = [re.escape(word.strip().encode()) for word in words if word.strip()]
        self.words = re.compile(b"|".join(words), re.IGNORECASE) if words else None

    # Whole lines only come here, wherever a read ended. What is returned leaves; b"" drops the line. Lines are bytes, since
    # a log is not always UTF-8.
    def line(self, line):
        line = ADDRESS.sub(MARK, line)
        return self.words.sub(MARK, line) if self.words else line

    # The rest of a line whose beginning left before this policy came into force can't be judged.
    def rest(self, rest):
        return MARK + (b"\n" if rest.endswith(b"\n") else b"")
