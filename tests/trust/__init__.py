"""Tests of what a run survives and of what a file can do. `python -m tests.trust` runs their long form."""
