"""Seeded runs of uploads under faults, and the judge of what they leave behind.

``python -m chaos --runs 10000`` (with ``tests`` on PYTHONPATH) makes them; ``--seed N --runs 1`` repeats one.
"""
