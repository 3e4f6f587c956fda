"""A run follows from its seed."""

import unittest

from chaos import faults, plan


def settings(**changed):
    return plan.Settings(**{"seed": 7, "minutes": 5, "rate": 30, **changed})


class Plans(unittest.TestCase):
    def test_the_same_seed_makes_the_same_run(self):
        self.assertEqual(plan.make(settings()), plan.make(settings()))

    def test_another_seed_makes_another_run(self):
        first, second = plan.make(settings()), plan.make(settings(seed=8))
        self.assertNotEqual(first.ops, second.ops)
        self.assertNotEqual(first.broken, second.broken)

    def test_a_fault_by_name_has_the_same_workload_before_it(self):
        first, second = (plan.make(settings(fault=name)) for name in ("redis-stop", "redis-kill"))
        self.assertEqual(first.ops, second.ops)

    def test_faults_do_not_overlap_and_each_has_its_quiet(self):
        made = plan.make(settings(minutes=30))
        self.assertGreater(len(made.broken), 20)
        for one, following in zip(made.broken, made.broken[1:]):
            self.assertGreaterEqual(following.at - one.until, made.settings.after_s)

    def test_a_campaign_has_each_kind_once_before_any_comes_again(self):
        names = [one.name for one in plan.make(settings(minutes=120)).broken]
        kinds = [fault.name for fault in faults.CATALOGUE.values() if fault.in_campaigns]
        self.assertEqual(sorted(names[:len(kinds)]), sorted(kinds))

    def test_no_like_comes_twice_and_no_two_orders_are_alike(self):
        ops = plan.make(settings()).ops
        likes = [(op.user, *op.aim["post"]) for op in ops if op.kind == "like"]
        orders = [op for op in ops if op.kind == "order"]
        orders = [(op.user, op.aim["product"], op.aim["quantity"]) for op in orders]
        self.assertEqual(len(likes), len(set(likes)))
        self.assertEqual(len(orders), len(set(orders)))

    def test_nobody_buys_their_own(self):
        for op in plan.make(settings()).ops:
            if op.kind == "order":
                self.assertNotEqual(op.aim["product"] % 36, op.user)
