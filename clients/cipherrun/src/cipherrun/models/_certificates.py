"""The inventory of certificates."""

from __future__ import annotations

from datetime import datetime

from ._base import Model


class CertificateSummary(Model):
    """A certificate that stored scans have met.

    Attributes:
        fingerprint: SHA-256 in hexadecimal.
        hostnames: where it was met.
    """

    fingerprint: str
    common_name: str
    san: list[str]
    issuer: str
    valid_from: datetime
    valid_until: datetime
    days_until_expiry: int
    is_expired: bool
    is_expiring_soon: bool
    hostnames: list[str]


class CertificateListResponse(Model):
    """A page of the inventory; ``total`` counts what all pages have."""

    total: int
    offset: int
    limit: int
    certificates: list[CertificateSummary]
