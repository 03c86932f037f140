"""The endpoints of the API: everything that is known of each, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar
from urllib.parse import quote

import pydantic

from .exceptions import ValidationError
from .models import (
    CertificateListResponse,
    CertificateSummary,
    ComplianceReport,
    HealthResponse,
    PolicyEvaluationRequest,
    PolicyEvaluationResponse,
    PolicyRequest,
    PolicyResponse,
    ProgressMessage,
    ScanHistoryResponse,
    ScanRequest,
    ScanResponse,
    ScanResults,
    ScanStatusResponse,
    StatsResponse,
)
from .models._base import Model

Answer = TypeVar("Answer", bound=Model)

SCANNING: Final = 330.0
"""Seconds for a request within which the server scans: it gives up after 300 itself, and its answer shall arrive."""


class Permission(Enum):
    """What an API key must be allowed."""

    NONE = "none"
    READ_ONLY = "ReadOnly"
    USER = "User"


class Cancellation(Model):
    """The answer to a cancellation."""

    message: str
    scan_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[Answer]):
    """An endpoint, and how its answers are to be taken.

    Attributes:
        path: below the base URL; names in braces are parameters.
        answer: what a good answer is.
        query: the parameters that go into the query.
        body: what the other parameters make, where there is a body.
        errors: the statuses of its own, beside those of :attr:`all_errors`.
        needs: what the server may have been set up without; its 503 then says so, and will say so again.
        timeout: seconds that it needs at least; None is the client's.
        websocket: whether it is one.
    """

    method: str
    path: str
    permission: Permission
    answer: type[Answer]
    query: tuple[str, ...] = ()
    body: type[Model] | None = None
    errors: tuple[int, ...] = ()
    needs: str | None = None
    timeout: float | None = None
    websocket: bool = False

    @property
    def all_errors(self) -> frozenset[int]:
        """Every status that the server documents for it."""
        common = set() if self.permission is Permission.NONE else {401, 408, 429}
        if self.permission is Permission.USER:
            common.add(403)
        if self.query:
            common.add(400)
        if self.body:
            common |= {400, 413, 415, 422}
        return frozenset(common.union(self.errors))

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again where the first may have been carried out."""
        return self.method in ("GET", "DELETE")

    def url(self, base: str, arguments: Mapping[str, object]) -> str:
        """Return the URL, with the parameters of the path in it."""
        segments = [_segment(part, arguments) if part.startswith("{") else part for part in self.path.split("/")]
        return base + "/".join(segments)

    def params(self, arguments: Mapping[str, object]) -> dict[str, str]:
        """Return the query, without what was not given."""
        given = {name: arguments[name] for name in self.query if arguments.get(name) is not None}
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}

    def json(self, arguments: Mapping[str, object]) -> object:
        """Return the body.

        Raises:
            ValidationError: an argument does not fit.
        """
        if self.body is None:
            return None
        given = {name: arguments[name] for name in self.body.model_fields if name in arguments}
        try:
            return self.body.model_validate(given).model_dump(mode="json", exclude_none=True)
        except pydantic.ValidationError as error:
            raise ValidationError(shortened(error), status_code=None) from error


def shortened(error: pydantic.ValidationError) -> str:
    """Say in one line which fields do not fit, without what was in them."""
    return "; ".join(
        f"{'.'.join(str(part) for part in line['loc']) or error.title}: {line['msg']}" for line in error.errors()[:3]
    )


def _segment(part: str, arguments: Mapping[str, object]) -> str:
    """Return a parameter as one segment of a path: never two, and never a step upwards."""
    name = part.strip("{}")
    value = str(arguments[name])
    if value in ("", ".", ".."):
        raise ValidationError(f"{name} is a name, not {value!r}", status_code=None)
    return quote(value, safe=":")


CREATE_SCAN: Final = Endpoint(
    method="POST",
    path="/api/v1/scan",
    permission=Permission.USER,
    answer=ScanResponse,
    body=ScanRequest,
    errors=(400, 503),
)
GET_SCAN_STATUS: Final = Endpoint(
    method="GET",
    path="/api/v1/scan/{scan_id}",
    permission=Permission.READ_ONLY,
    answer=ScanStatusResponse,
    errors=(404,),
)
GET_SCAN_RESULTS: Final = Endpoint(
    method="GET",
    path="/api/v1/scan/{scan_id}/results",
    permission=Permission.READ_ONLY,
    answer=ScanResults,
    errors=(400, 404),
)
CANCEL_SCAN: Final = Endpoint(
    method="DELETE",
    path="/api/v1/scan/{scan_id}",
    permission=Permission.USER,
    answer=Cancellation,
    errors=(400, 404),
)
STREAM_PROGRESS: Final = Endpoint(
    method="GET",
    path="/api/v1/scan/{scan_id}/stream",
    permission=Permission.READ_ONLY,
    answer=ProgressMessage,
    errors=(404, 500),
    websocket=True,
)
LIST_CERTIFICATES: Final = Endpoint(
    method="GET",
    path="/api/v1/certificates",
    permission=Permission.READ_ONLY,
    answer=CertificateListResponse,
    query=("limit", "offset", "sort", "hostname", "expiring_within_days"),
    errors=(400, 503),
    needs="a database",
)
GET_CERTIFICATE: Final = Endpoint(
    method="GET",
    path="/api/v1/certificates/{fingerprint}",
    permission=Permission.READ_ONLY,
    answer=CertificateSummary,
    errors=(400, 404, 503),
    needs="a database",
)
CHECK_COMPLIANCE: Final = Endpoint(
    method="GET",
    path="/api/v1/compliance/{framework}",
    permission=Permission.READ_ONLY,
    answer=ComplianceReport,
    query=("target", "detailed"),
    errors=(400, 404, 500),
    timeout=SCANNING,
)
CREATE_POLICY: Final = Endpoint(
    method="POST",
    path="/api/v1/policies",
    permission=Permission.USER,
    answer=PolicyResponse,
    body=PolicyRequest,
    errors=(400, 503),
    needs="a folder for policies",
)
GET_POLICY: Final = Endpoint(
    method="GET",
    path="/api/v1/policies/{policy_id}",
    permission=Permission.READ_ONLY,
    answer=PolicyResponse,
    errors=(400, 404, 503),
    needs="a folder for policies",
)
EVALUATE_POLICY: Final = Endpoint(
    method="POST",
    path="/api/v1/policies/{policy_id}/evaluate",
    permission=Permission.USER,
    answer=PolicyEvaluationResponse,
    body=PolicyEvaluationRequest,
    errors=(400, 404, 503),
    needs="a folder for policies",
    timeout=SCANNING,
)
GET_SCAN_HISTORY: Final = Endpoint(
    method="GET",
    path="/api/v1/history/{hostname}",
    permission=Permission.READ_ONLY,
    answer=ScanHistoryResponse,
    query=("port", "limit"),
    errors=(400, 503),
    needs="a database",
)
GET_API_STATS: Final = Endpoint(
    method="GET",
    path="/api/v1/stats",
    permission=Permission.READ_ONLY,
    answer=StatsResponse,
    errors=(500,),
)
HEALTH_CHECK: Final = Endpoint(
    method="GET",
    path="/api/v1/health",
    permission=Permission.NONE,
    answer=HealthResponse,
)
