"""This repository's own tool, of the standard library alone: `python3 -m closed_function`.

The floors, each of which imports from those below it alone: the modules of this folder, gcloud,
symptoms, checks, commands, __main__.
"""
