"""What can be wrong: the catalogue of causes, and which of them a log shows."""
