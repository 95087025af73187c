"""The same work done by each library, written as its own documentation does it."""
