"""Laws of what a run survives; `python -m tests.trust` is their long form."""
