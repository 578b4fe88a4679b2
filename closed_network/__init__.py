"""Rehearse, on one machine and with the real clients, the build of a function in a closed network.

`closed-network rehearse PATH` needs no cloud. A gate lets nothing out but Artifact
Registry, behind it answers a stand-in, and the real pip, gcloud and functions-framework go through
it, where the system lets it in a network namespace that has no other way out.
"""
