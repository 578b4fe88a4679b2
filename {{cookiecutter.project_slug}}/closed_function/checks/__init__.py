"""Check what a build needs, in this repository's files and in Google Cloud."""
