"""This repository's own tool, of the standard library alone: `python3 -m closed_function`."""
