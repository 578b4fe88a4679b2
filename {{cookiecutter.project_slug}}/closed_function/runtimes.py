"""The Python runtimes of Cloud Run functions, and those that the locks are made for."""

LOCKED_PYTHONS = ("3.11", "3.12", "3.13", "3.14")
RUNTIME_PLATFORM = "x86_64-manylinux_2_35"  # the glibc of the runtimes' base image
DEFAULT_RUNTIME = "python313"  # of terraform/function/variables.tf
# The days on which Google deprecates and then removes a runtime.
RUNTIME_ENDS = {
    "python310": ("2026-10-04", "2027-04-04"),
    "python311": ("2027-10-24", "2028-04-24"),
    "python312": ("2028-10-02", "2029-04-02"),
    "python313": ("2029-10-10", "2030-04-10"),
    "python314": ("2030-10-10", "2031-04-10"),
}


def runtime_name(python: str) -> str:
    """Return what Google names the runtime of a Python version such as 3.13."""
    return f"python{python.replace('.', '')}"
