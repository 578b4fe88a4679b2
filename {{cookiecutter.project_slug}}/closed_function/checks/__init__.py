"""What a build needs, checked in this repository's files and in Google Cloud."""
