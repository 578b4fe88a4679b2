"""Print a cause for people and for machines, with its commands filled in."""

from collections.abc import Mapping

from closed_function.symptoms.catalogue import Group, Symptom, fill_in

KEYS = {"id", "what", "why", "confirm", "shows", "cure", "symptoms", "tell_apart", "source"}
KEYS |= {"confidence"}


def cause_as_json(cause: Symptom | Group, values: Mapping[str, str]) -> dict[str, object]:
    """Return a cause for machines: what is printed for people, with its commands filled in."""
    return {
        name: fill_in(value, values) if isinstance(value, str) else value
        for name, value in cause._asdict().items()
        if name in KEYS
    }


def print_cause(symptom: Symptom, values: Mapping[str, str]) -> None:
    print(f"    Why:  {fill_in(symptom.why, values)}")
    if symptom.confirm:
        print(f"    Look: {fill_in(symptom.confirm, values)}")
        print(f"          {fill_in(symptom.shows, values)}")
    print(f"    Cure: {fill_in(symptom.cure, values)}")
