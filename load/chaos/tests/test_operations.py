"""What an answer means."""

import unittest

from chaos.operations import global_id, number_of, verdict_of


def refused(code):
    return {"data": {"done": None}, "errors": [{"path": ["done"], "extensions": {"code": code}}]}


class Verdicts(unittest.TestCase):
    def test_done_is_acknowledged_also_when_the_answer_could_not_be_read_back(self):
        done = {"made": None, "userErrors": []}
        beside = [{"path": ["done", "made"], "extensions": {"code": "SHARD_UNAVAILABLE"}}]
        answer = {"data": {"done": done}, "errors": beside}
        self.assertEqual(verdict_of(200, answer)[0], "acknowledged")

    def test_codes_of_which_the_schema_says_that_nothing_was_changed(self):
        for code in ("SHARD_UNAVAILABLE", "TIMEOUT", "OVERLOADED", "RATE_LIMITED", "CLOCK_REFUSED"):
            self.assertEqual(verdict_of(200, refused(code))[:2], ("refused", code))

    def test_what_nobody_knows(self):
        for code in ("OUTCOME_UNKNOWN", "INTERNAL"):
            self.assertEqual(verdict_of(200, refused(code))[0], "unknown")
        self.assertEqual(verdict_of(502, None)[0], "unknown")

    def test_a_business_error_is_a_refusal(self):
        answer = {"data": {"done": {"made": None, "userErrors": [{"code": "NOT_FOUND"}]}}}
        self.assertEqual(verdict_of(200, answer)[:2], ("refused", "USER_NOT_FOUND"))

    def test_global_ids_go_there_and_back(self):
        self.assertEqual(number_of(global_id("Post", 12345)), 12345)
