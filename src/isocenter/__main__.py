"""``python -m isocenter`` is the command line."""

from isocenter.cli import main

main()
