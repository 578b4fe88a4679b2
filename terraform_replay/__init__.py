"""A stand-in for Terraform's providers: it serves recorded schemas and talks to nothing."""
