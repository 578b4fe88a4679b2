"""A source for the tests of the stack; it is never run."""
