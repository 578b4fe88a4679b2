"""One module for each API."""

from __future__ import annotations

from . import (
    access_context_manager,
    artifact_registry,
    cloud_billing,
    cloud_build,
    compute,
    dns,
    eventarc,
    functions,
    iam,
    kms,
    logging,
    monitoring,
    pubsub,
    resource_manager,
    run,
    secret_manager,
    service_networking,
    service_usage,
    storage,
    vpc_access,
)

SERVICES = {
    module.SERVICE.name: module.SERVICE
    for module in (
        access_context_manager,
        artifact_registry,
        cloud_billing,
        cloud_build,
        compute,
        dns,
        eventarc,
        functions,
        iam,
        kms,
        logging,
        monitoring,
        pubsub,
        resource_manager,
        run,
        secret_manager,
        service_networking,
        service_usage,
        storage,
        vpc_access,
    )
}
