"""The stages of a rehearsal, each with the control that keeps it from passing by accident."""
