"""Native tests: python3 -m unittest"""

import sys
import unittest

sys.path.insert(0, "sdk/policy-sdk/python")

from fedtail_policy.testing import filter  # noqa: E402
from policy import Redact  # noqa: E402


class TestRedact(unittest.TestCase):
    # Reads the log in pieces of several sizes, and lets fresh policies take over wherever one could be interrupted.
    def test_addresses_and_chosen_words_do_not_leave(self):
        log = "round 1 by ann@clinic.example\n  Smith,\tbed 3\nall is well @ 3\n"
        left = filter(Redact, log, words="smith, bed")
        self.assertEqual(left, "round 1 by [redacted]\n  [redacted],\t[redacted] 3\nall is well @ 3\n")

    def test_a_setting_that_it_does_not_know_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no setting `word`"):
            filter(Redact, "", word="smith")


if __name__ == "__main__":
    unittest.main()
