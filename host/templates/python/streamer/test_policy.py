"""Native tests: python3 -m unittest"""

import sys
import unittest

sys.path.insert(0, "sdk/policy-sdk/python")

from fedtail_policy.testing import Log  # noqa: E402
from policy import SECOND, Delay  # noqa: E402


class TestDelay(unittest.TestCase):
    def test_nothing_leaves_before_its_time_and_then_all_of_it(self):
        log = Log(b"a line\n")
        delay = log.stream(Delay, {"delay-seconds": "60"})
        self.assertEqual(delay.step(connected=True, stop=False), 60 * SECOND)
        log.time = 59 * SECOND
        self.assertEqual(delay.step(connected=False, stop=True), 60 * SECOND)
        self.assertEqual(log.sent, [])
        log.time = 60 * SECOND
        self.assertIsNone(delay.step(connected=False, stop=False))
        self.assertEqual(log.sent, [(b"a line\n", 7)])

    def test_the_delay_is_needed_and_has_to_be_a_number(self):
        for settings, words in [
            ({}, "set `delay-seconds`"),
            ({"delay-seconds": "1 min"}, "has to be a number of seconds"),
            ({"delay-seconds": "1", "delay": "1"}, "no setting `delay`"),
        ]:
            with self.assertRaisesRegex(ValueError, words):
                Log(b"").stream(Delay, settings)


if __name__ == "__main__":
    unittest.main()
