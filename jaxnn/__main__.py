"""`python -m jaxnn` runs the command line."""

from jaxnn.cli import main

if __name__ == "__main__":
    main()
