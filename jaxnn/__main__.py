"""`python -m jaxnn` runs the command line."""

import os
import sys

# `python -m` searches the working directory first, where a file of the user's may be named like a library.
if sys.path and os.path.realpath(sys.path[0]) == os.getcwd():
    sys.path.append(sys.path.pop(0))

from jaxnn.cli import main

if __name__ == "__main__":
    main()
