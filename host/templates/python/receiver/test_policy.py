"""Native tests: python3 -m unittest"""

import sys
import unittest

sys.path.insert(0, "sdk/policy-sdk/python")

from fedtail_policy import Never  # noqa: E402
from fedtail_policy.testing import receive  # noqa: E402
from policy import Endings  # noqa: E402


class TestEndings(unittest.TestCase):
    def test_a_log_with_a_good_ending_is_stored(self):
        stored = receive(Endings, ["one\n", "two\n"], log="log.json", endings=".txt, .json")
        self.assertEqual(stored, "one\ntwo\n")

    def test_another_log_is_refused_in_words(self):
        with self.assertRaisesRegex(Never, "logs that end with .txt, and model.bin does not"):
            receive(Endings, ["x"], log="model.bin", endings=".txt")
        with self.assertRaisesRegex(Never, "tell its operator: set `endings`"):
            receive(Endings, [])


if __name__ == "__main__":
    unittest.main()
