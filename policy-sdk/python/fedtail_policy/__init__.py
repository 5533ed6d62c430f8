"""What a fedtail policy in Python is written with: one class over lines.

    from fedtail_policy import Lines

    class Without(Lines):
        def __init__(self, settings):
            self.word = settings.need("word", "the word that no line with it leaves the site for").encode()

        def line(self, line):
            return b"" if self.word in line else line

Everything else is done here: waiting for the log, rotation, gaps, the window, reconnects, the end of the job. A `Stepped`
policy has the whole interface in its hands; a `Gate` decides at the server what is taken. `component` and
`receiver_component` make components of such classes, `testing` tries them natively.
"""

from .gate import Drop, Gate, Last, Later, Never
from .lines import Lines
from .settings import Settings
from .stepped import Stepped

__all__ = ["Drop", "Gate", "Last", "Later", "Lines", "Never", "Settings", "Stepped"]
