"""The same work done by each library, as its own documentation would do it."""
