"""Find the causes that a log shows, of those in the catalogue."""
