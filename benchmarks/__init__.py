"""Benchmarks of `jaxnn` against other libraries, against autodiff and against itself; `python -m benchmarks`."""
