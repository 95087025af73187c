"""How fast `jaxnn` is: against its peers, against autodiff and against itself; `python -m benchmarks`."""
