"""Google's APIs on loopback, as far as the product's stacks, its tools and gcloud call them.

Each module of `services` is one API. It answers what its clients need in the form that the
service documents, and refuses what the service refuses: a wrong order, an unknown member, a missing
role, a resource that is in use. Where each refusal is documented stands beside it. Nothing here was
compared with a running service.
"""
