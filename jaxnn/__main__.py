"""`python -m jaxnn` is `jaxnn`."""

from jaxnn.cli import main

if __name__ == "__main__":
    main()
