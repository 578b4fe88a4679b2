"""A test beside the function; it is not uploaded."""
