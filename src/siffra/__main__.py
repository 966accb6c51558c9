"""`python -m siffra`: the command line."""

from siffra.cli import main

if __name__ == "__main__":
    main()
