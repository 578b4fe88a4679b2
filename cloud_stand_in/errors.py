"""Refusals in the form of Google's JSON APIs.

https://cloud.google.com/apis/design/errors describes `error.status` and `google.rpc.ErrorInfo`;
Compute Engine, Cloud DNS and Cloud Storage add `error.errors`.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(
        self, http: int, status: str, message: str, reason: str = "", **metadata: str
    ) -> None:
        super().__init__(message)
        self.http = http
        self.status = status
        self.reason = reason
        self.metadata = metadata

    def content(self) -> Json:
        """Return the answer's body."""
        information = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self.reason,
            "domain": "googleapis.com",
            "metadata": self.metadata,
        }
        error = {
            "code": self.http,
            "message": str(self),
            "status": self.status,
            "details": [information] if self.metadata else [],
            "errors": [{"message": str(self), "domain": "global", "reason": self.reason}],
        }
        return {"error": error}


def invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_ARGUMENT", message, "badRequest")


def precondition(message: str) -> ApiError:
    return ApiError(400, "FAILED_PRECONDITION", message, "failedPrecondition")


def build_failed(message: str) -> ApiError:
    return precondition(f"Build failed: {message}")


def in_use(name: str, user: str) -> ApiError:
    message = f"The resource '{name}' is already being used by '{user}'"
    return ApiError(400, "RESOURCE_IN_USE", message, "resourceInUseByAnotherResource")


def denied(message: str, reason: str = "forbidden", **metadata: str) -> ApiError:
    return ApiError(403, "PERMISSION_DENIED", message, reason, **metadata)


def permission_denied(permission: str, name: str) -> ApiError:
    return denied(
        f"Permission '{permission}' denied on resource '{name}' (or it may not exist).",
        "IAM_PERMISSION_DENIED",
        permission=permission,
    )


def not_found(name: str) -> ApiError:
    return ApiError(404, "NOT_FOUND", f"The resource '{name}' was not found", "notFound")


def exists(name: str) -> ApiError:
    return ApiError(409, "ALREADY_EXISTS", f"The resource '{name}' already exists", "alreadyExists")


def concurrent(message: str) -> ApiError:
    return ApiError(409, "ABORTED", message, "aborted")
