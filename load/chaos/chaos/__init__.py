"""Faults under load: the workload, the faults, and what a run came to."""
