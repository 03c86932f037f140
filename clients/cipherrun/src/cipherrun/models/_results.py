"""What a scan found.

Servers have two shapes of it: flat (0.2), and with the rating, the HTTP
headers and the client simulations one level down (0.3). Both become the flat
one; the groups of the newer stay beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field, model_validator

from ._base import Model, Number, OpenEnum
from ._compliance import Severity

_DISPLAY_NAMES: Final = {
    "SSLv2": "SSL 2.0",
    "SSLv3": "SSL 3.0",
    "TLS10": "TLS 1.0",
    "TLS11": "TLS 1.1",
    "TLS12": "TLS 1.2",
    "TLS13": "TLS 1.3",
}


def protocol_name(protocol: str) -> str:
    """Return a protocol as people write it: ``TLS 1.3`` for ``TLS13``; others as they are."""
    return _DISPLAY_NAMES.get(protocol, protocol)


class SecurityGrade(OpenEnum):
    """A grade in the manner of SSL Labs: T is not trusted, M has another name."""

    A_PLUS = "A+"
    A = "A"
    A_MINUS = "A-"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"
    T = "T"
    M = "M"
    UNVERIFIED = "Unverified"


class ProtocolTestResult(Model):
    """Whether the target speaks a protocol."""

    protocol: str
    supported: bool
    inconclusive: bool = False
    preferred: bool = False
    ciphers_count: int = 0
    handshake_time_ms: Number | None = None
    heartbeat_enabled: bool | None = None
    session_resumption_caching: bool | None = None
    session_resumption_tickets: bool | None = None
    secure_renegotiation: bool | None = None

    @property
    def display_name(self) -> str:
        """The protocol as people write it, e.g. ``TLS 1.3``."""
        return protocol_name(self.protocol)


class CipherInfo(Model):
    """A cipher suite."""

    iana_name: str
    openssl_name: str
    hexcode: str
    key_exchange: str
    authentication: str
    encryption: str
    bits: int
    mac: str
    protocol: str | None = None
    export: bool = False


class CipherCounts(Model):
    """How many of a protocol's suites are of each kind."""

    total: int = 0
    null_ciphers: int = 0
    export_ciphers: int = 0
    low_strength: int = 0
    medium_strength: int = 0
    high_strength: int = 0
    forward_secrecy: int = 0
    aead: int = 0


class ProtocolCipherSummary(Model):
    """The suites that the target takes with one protocol."""

    protocol: str
    supported_ciphers: list[CipherInfo]
    counts: CipherCounts
    server_ordered: bool = False
    server_preference: Any = None
    preferred_cipher: CipherInfo | None = None
    avg_handshake_time_ms: Number | None = None


class CertificateInfo(Model):
    """A certificate that the target showed."""

    subject: str
    issuer: str
    not_before: str
    not_after: str
    serial_number: str
    public_key_algorithm: str
    public_key_size: int | None = None
    rsa_exponent: Any = None
    signature_algorithm: str
    fingerprint_sha256: str | None = None
    pin_sha256: str | None = None
    san: list[str]
    expiry_countdown: str | None = None
    is_ca: bool | None = None
    key_usage: list[str] = Field(default_factory=list)
    extended_key_usage: list[str] = Field(default_factory=list)
    extended_validation: bool | None = None
    ev_oids: list[str] = Field(default_factory=list)
    debian_weak_key: bool | None = None
    aia_url: str | None = None
    certificate_transparency: Any = None
    der_bytes: list[int] = Field(default_factory=list)


class ValidationIssue(Model):
    """What is wrong with a chain."""

    severity: Severity
    description: str
    issue_type: str | None = None


class ValidationResult(Model):
    """Whether a chain is to be trusted."""

    valid: bool
    hostname_match: bool
    not_expired: bool
    trust_chain_valid: bool
    signature_valid: bool | None = None
    trusted_ca: str | None = None
    platform_trust: Any = None
    issues: list[ValidationIssue]


class RevocationResult(Model):
    """Whether a certificate was revoked, and how that was asked."""

    status: str
    method: str
    must_staple: bool = False
    details: Any = None
    ocsp_stapling: bool | None = None
    ocsp_stapling_details: Any = None


class CertificateChain(Model):
    """The certificates that the target showed, its own first."""

    certificates: list[CertificateInfo]
    chain_length: int
    chain_size_bytes: int


class CertificateAnalysisResult(Model):
    """The target's chain, and what is to be said of it."""

    chain: CertificateChain
    validation: ValidationResult
    revocation: RevocationResult | None = None


class HeaderIssue(Model):
    """What is wrong with an HTTP header, or that it is missing."""

    header_name: str
    severity: Severity
    issue_type: str
    description: str
    recommendation: str
    preload_status: Any = None


class HeaderAnalysisResult(Model):
    """The target's HTTP headers; the grade is of another scale than the rating's: A, B, C, D, F."""

    grade: str
    score: Number
    issues: list[HeaderIssue]
    headers: dict[str, Any] = Field(default_factory=dict)
    http_status_code: int | None = None
    server_hostname: str | None = None
    hsts_analysis: Any = None
    hpkp_analysis: Any = None
    cookie_analysis: Any = None
    datetime_check: Any = None
    banner_detection: Any = None
    reverse_proxy_detection: Any = None
    redirect_location: str | None = None
    redirect_chain: list[Any] = Field(default_factory=list)


class VulnerabilityResult(Model):
    """Whether the target has a known weakness, e.g. ``Heartbleed``."""

    vuln_type: str
    vulnerable: bool
    inconclusive: bool = False
    severity: Severity
    details: str
    cve: str | None = None
    cwe: str | None = None


class ClientSimulationResult(Model):
    """What a known client would agree on with the target."""

    client_name: str
    success: bool
    client_id: str | None = None
    protocol: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    key_exchange: str | None = None
    forward_secrecy: bool | None = None
    certificate_type: str | None = None
    error: str | None = None
    handshake_time_ms: Number | None = None


class RatingResult(Model):
    """The grade, and the scores that make it."""

    grade: SecurityGrade
    score: Number
    certificate_score: Number
    protocol_score: Number
    key_exchange_score: Number
    cipher_strength_score: Number
    warnings: list[str]


class HttpResults(Model):
    """What was found over HTTP."""

    http_headers: HeaderAnalysisResult | None = None


class AdvancedResults(Model):
    """What takes many handshakes to find out."""

    client_simulations: list[ClientSimulationResult] | None = None


class ProbeStatus(Model):
    """Whether the target could be reached at all."""

    success: bool
    error: str | None = None
    error_type: str | None = None
    connection_time_ms: Number | None = None
    attempts: int | None = None


class ScanResults(Model):
    """What a scan found; parts that it did not look at are empty or None."""

    target: str
    scan_time_ms: Number
    protocols: list[ProtocolTestResult] = Field(default_factory=list)
    ciphers: dict[str, ProtocolCipherSummary] = Field(default_factory=dict)
    certificate_chain: CertificateAnalysisResult | None = None
    http_headers: HeaderAnalysisResult | None = None
    vulnerabilities: list[VulnerabilityResult] = Field(default_factory=list)
    client_simulations: list[ClientSimulationResult] | None = None
    rating: RatingResult | None = None
    fingerprints: Any = None
    http: HttpResults | None = None
    advanced: AdvancedResults | None = None
    pre_handshake_used: bool | None = None
    scanned_ips: list[Any] = Field(default_factory=list)
    sni_used: str | None = None
    sni_generation_method: str | dict[str, str] | None = None
    probe_status: ProbeStatus | None = None
    inconsistencies: Any = None

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, data: Any) -> Any:
        """Bring what newer servers nest to where older ones have it."""
        if not isinstance(data, Mapping):
            return data
        flat = dict(data)
        for group, name in (("http", "http_headers"), ("advanced", "client_simulations")):
            if flat.get(name) is None and isinstance(data.get(group), Mapping):
                flat[name] = data[group].get(name)
        rating = data.get("rating")
        if isinstance(rating, Mapping) and "ssl_rating" in rating:
            others = {name: value for name, value in rating.items() if name != "ssl_rating"}
            flat["rating"] = {**others, **rating["ssl_rating"]} if rating["ssl_rating"] else None
        return flat
