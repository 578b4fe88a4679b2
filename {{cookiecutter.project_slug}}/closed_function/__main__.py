"""Run a command of this repository's tool: `python3 -m closed_function COMMAND`, from its root."""

from __future__ import annotations

import sys
from importlib import import_module

# Each command with its module and what that is told besides.
COMMANDS = {
    "doctor": ("doctor", "check"),
    "explain": ("doctor", "explain"),
    "status": ("status",),
    "allow": ("upstreams", "allow"),
    "deny": ("upstreams", "deny"),
    "describe": ("upstreams", "status"),
    "plan": ("stacks", "plan"),
    "apply": ("stacks", "apply"),
    "accounts": ("stacks", "accounts"),
    "destroy": ("stacks", "destroy"),
    "state": ("stacks", "state"),
    "format": ("stacks", "format"),
    "validate": ("stacks", "validate"),
    "lock": ("lock",),
    "upgrade": ("upgrade",),
    "audit": ("audit",),
    "send": ("send",),
    "with-index": ("with_index",),
}


def main() -> int:
    name, *arguments = sys.argv[1:] or [""]
    if name not in COMMANDS:
        problem = f"invalid choice: {name!r}" if name else "a command is required"
        print(
            f"python3 -m closed_function: {problem}: one of {', '.join(COMMANDS)}", file=sys.stderr
        )
        return 2
    module, *first = COMMANDS[name]
    return int(import_module(f"closed_function.{module}").main([*first, *arguments]))


if __name__ == "__main__":
    raise SystemExit(main())
