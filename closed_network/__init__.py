"""Rehearse, on one machine and with the real clients, the build of a function in a closed network.

`closed-network rehearse PATH` needs no cloud. A gate lets nothing out but Artifact
Registry, behind it answers a stand-in, and the real pip, gcloud and functions-framework go through
it, where the system lets it in a network namespace that has no other way out.

The floors, each of which imports from those below it alone: the product's own tool
(closed_function), the modules of this folder, stages, __main__.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

# closed_function lies beside this package, or in a clone in the product's folder, where byte code
# would be copied into every product. It is loaded here, because `python -m` searches the current
# folder first, and that may be a product, which has a closed_function of its own.
BESIDE = Path(__file__).resolve().parent.parent
IN_A_CLONE = BESIDE / "{{cookiecutter.project_slug}}"
sys.dont_write_bytecode |= IN_A_CLONE.is_dir()
sys.path.insert(0, str(IN_A_CLONE if IN_A_CLONE.is_dir() else BESIDE))
import_module("closed_function")
del sys.path[0]
