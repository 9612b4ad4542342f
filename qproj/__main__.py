"""``python -m qproj``."""

from qproj.cli import main

if __name__ == "__main__":
    main()
