"""Native tests: python3 -m unittest"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "policy-sdk" / "python"))

from fedtail_policy.testing import filter  # noqa: E402
from policy import Redact  # noqa: E402

LOG = """\
mail ann.b+c@clinic.example, now
from 10.1.2.3 and 2001:db8::1, at 03:31:44
patient id: P-0042x and MRN=77, sub-0042
nothing of a patient
"""

LEFT = """\
mail [email], now
from [ip] and [ip], at 03:31:44
patient id: [patient] and MRN=[patient], sub-[patient]
nothing of a patient
"""


class TestRedact(unittest.TestCase):
    def test_what_identifies_is_taken_out(self):
        self.assertEqual(filter(Redact, LOG), LEFT)

    def test_what_is_switched_off_stays(self):
        self.assertEqual(filter(Redact, LOG, email="off", ip="off", patient="off"), LOG)
        with self.assertRaisesRegex(ValueError, "`ip` is 'no', and has to be on or off"):
            filter(Redact, "", ip="no")

    def test_a_sites_own_patterns_are_taken_out_too(self):
        settings = {"pattern.ward": "ward [0-9]+"}
        self.assertEqual(filter(Redact, "in ward 7\n", **settings), "in [ward]\n")
        with self.assertRaisesRegex(ValueError, "`pattern.ward` is no pattern"):
            filter(Redact, "", **{"pattern.ward": "("})

    def test_half_a_line_is_not_judged(self):
        redact = Redact(_settings())
        self.assertEqual(redact.rest(b"b@c.d\n"), b"[the rest of a line was withheld]\n")


def _settings():
    from fedtail_policy import Settings

    return Settings([])


if __name__ == "__main__":
    unittest.main()
