"""Policies of one's own, and targets held against them."""

from __future__ import annotations

from datetime import datetime

from ._base import Model
from ._scans import ScanOptions


class PolicyRequest(Model):
    """What makes a policy, or replaces the one of the same name; ``rules`` is YAML."""

    name: str
    description: str | None = None
    rules: str
    enabled: bool = True


class PolicyEvaluationRequest(Model):
    """What an evaluation is asked."""

    target: str
    options: ScanOptions | None = None


class PolicyResponse(Model):
    """A policy that the server keeps."""

    id: str
    name: str
    description: str | None = None
    rules: str
    enabled: bool
    created_at: datetime
    updated_at: datetime


class PolicyCheckResult(Model):
    """A rule that a target breaks; ``severity`` is what the policy says: ``fail``, ``warn`` or ``info``."""

    check: str
    passed: bool
    severity: str
    message: str | None = None
    expected: str | None = None
    actual: str | None = None


class PolicyEvaluationResponse(Model):
    """A target held against a policy.

    Attributes:
        checks: the rules that are broken; rules that are kept are not listed.
        scan_id: a name that the server makes up; there is no scan of it to ask for.
    """

    policy_id: str
    policy_name: str
    target: str
    compliant: bool
    checks: list[PolicyCheckResult]
    evaluated_at: datetime
    scan_id: str
