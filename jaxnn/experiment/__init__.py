"""An experiment as Python values: what is trained, on what, and what comes of it."""
