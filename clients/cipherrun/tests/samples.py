"""What the stand-in says of every target: answers in the shapes of the real server, with every field that it has."""

from __future__ import annotations

from typing import Any

FINGERPRINT = "ab" * 32

CIPHER = {
    "iana_name": "TLS_AES_256_GCM_SHA384",
    "openssl_name": "TLS_AES_256_GCM_SHA384",
    "hexcode": "0x1302",
    "protocol": "TLS13",
    "key_exchange": "ANY",
    "authentication": "ANY",
    "encryption": "AES_256_GCM",
    "bits": 256,
    "mac": "AEAD",
    "export": False,
}

CERTIFICATE = {
    "subject": "CN=example.com",
    "issuer": "CN=Example CA",
    "not_before": "2026-01-01 00:00:00 UTC",
    "not_after": "2027-01-01 00:00:00 UTC",
    "serial_number": "01ff",
    "public_key_algorithm": "RSA",
    "public_key_size": 2048,
    "rsa_exponent": "65537",
    "signature_algorithm": "sha256WithRSAEncryption",
    "fingerprint_sha256": FINGERPRINT,
    "pin_sha256": "cGlu",
    "san": ["example.com", "www.example.com"],
    "expiry_countdown": "36 days",
    "is_ca": False,
    "key_usage": ["Digital Signature"],
    "extended_key_usage": ["TLS Web Server Authentication"],
    "extended_validation": False,
    "ev_oids": [],
    "debian_weak_key": None,
    "aia_url": "http://ca.example/ca.der",
    "certificate_transparency": "Yes (certificate)",
    "der_bytes": [48, 130, 4],
}

HEADERS = {
    "headers": {"server": "nginx"},
    "issues": [
        {
            "header_name": "Strict-Transport-Security",
            "severity": "High",
            "issue_type": "Missing",
            "description": "HSTS is not set",
            "recommendation": "Set it",
            "preload_status": None,
        }
    ],
    "score": 80,
    "grade": "B",
    "hsts_analysis": {"enabled": False},
    "hpkp_analysis": None,
    "cookie_analysis": None,
    "datetime_check": None,
    "banner_detection": {"server": "nginx"},
    "reverse_proxy_detection": None,
    "http_status_code": 200,
    "server_hostname": None,
    "redirect_location": None,
    "redirect_chain": [],
}

SIMULATIONS = [
    {
        "client_name": "Firefox 150",
        "client_id": "firefox_150",
        "success": True,
        "protocol": "TLS13",
        "cipher": "TLS_AES_128_GCM_SHA256",
        "error": None,
        "handshake_time_ms": 12,
        "alpn": "h2",
        "key_exchange": "X25519",
        "forward_secrecy": True,
        "certificate_type": "RSA",
    },
    {"client_name": "IE 6", "client_id": "ie_6", "success": False, "error": "handshake failure"},
]

RATING = {
    "grade": "A+",
    "score": 95,
    "certificate_score": 100,
    "protocol_score": 100,
    "key_exchange_score": 90,
    "cipher_strength_score": 90,
    "warnings": [],
}


def results(target: str, shape: str) -> dict[str, Any]:
    """What a full scan finds, in the shape of a server of version 0.2 or 0.3."""
    common: dict[str, Any] = {
        "target": target,
        "scan_time_ms": 4200,
        "protocols": [
            {"protocol": "SSLv2", "supported": False, "inconclusive": False, "preferred": False, "ciphers_count": 0},
            {
                "protocol": "TLS13",
                "supported": True,
                "inconclusive": False,
                "preferred": True,
                "ciphers_count": 1,
                "handshake_time_ms": 11,
                "heartbeat_enabled": False,
                "session_resumption_caching": True,
                "session_resumption_tickets": True,
                "secure_renegotiation": None,
            },
        ],
        "ciphers": {
            "TLS13": {
                "protocol": "TLS13",
                "supported_ciphers": [CIPHER],
                "server_ordered": True,
                "server_preference": ["0x1302"],
                "preferred_cipher": CIPHER,
                "counts": {"total": 1, "high_strength": 1, "forward_secrecy": 1, "aead": 1},
                "avg_handshake_time_ms": 10,
            }
        },
        "certificate_chain": {
            "chain": {"certificates": [CERTIFICATE], "chain_length": 1, "chain_size_bytes": 1200},
            "validation": {
                "valid": False,
                "issues": [{"severity": "Medium", "issue_type": "ExpiringSoon", "description": "36 days left"}],
                "trust_chain_valid": True,
                "hostname_match": True,
                "not_expired": True,
                "signature_valid": True,
                "trusted_ca": "Example CA",
                "platform_trust": {"mozilla": True},
            },
            "revocation": {
                "status": "Good",
                "method": "OCSP",
                "details": "",
                "ocsp_stapling": True,
                "must_staple": False,
                "ocsp_stapling_details": None,
            },
        },
        "vulnerabilities": [
            {
                "vuln_type": "Heartbleed",
                "vulnerable": False,
                "inconclusive": False,
                "severity": "Critical",
                "details": "not vulnerable",
                "cve": "CVE-2014-0160",
                "cwe": "CWE-119",
            },
            {"vuln_type": "BREACH", "vulnerable": True, "severity": "Medium", "details": "gzip over TLS"},
        ],
        "pre_handshake_used": False,
        "scanned_ips": [],
        "sni_used": "example.com",
        "sni_generation_method": {"Custom": "example.com"},
        "probe_status": {"success": True, "error": None, "error_type": None, "connection_time_ms": 9, "attempts": 1},
        "inconsistencies": None,
    }
    if shape == "0.2":
        return {**common, "rating": RATING, "http_headers": HEADERS, "client_simulations": SIMULATIONS}
    return {
        **common,
        "rating": {"ssl_rating": RATING},
        "http": {"http_headers": HEADERS},
        "advanced": {"client_simulations": SIMULATIONS},
        "fingerprints": {"ja3s": "x"},
    }


def certificate(number: int, hostname: str) -> dict[str, Any]:
    """A certificate of the inventory."""
    return {
        "fingerprint": f"{number:064x}",
        "common_name": hostname,
        "san": [hostname],
        "issuer": "Example CA",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": f"2027-01-{number + 1:02}T00:00:00Z",
        "days_until_expiry": 36 + number,
        "is_expired": False,
        "is_expiring_soon": False,
        "hostnames": [hostname],
    }


INVENTORY = [certificate(number, host) for number, host in enumerate(("a.test", "b.test", "c.test"), 1)]


def compliance(framework: str, target: str, detailed: bool) -> dict[str, Any]:
    """A report that fails one of two requirements."""
    requirements = [
        {
            "id": "4.2.1",
            "name": "Strong cryptography",
            "category": "Transport",
            "status": "fail",
            "severity": "critical",
            "violation_count": 1,
            "violations": [{"rule_type": "Protocol", "message": "TLS 1.0 is on", "evidence": "TLS10"}],
            "remediation": "Turn it off",
        },
        {
            "id": "4.2.2",
            "name": "Certificates",
            "category": "Transport",
            "status": "pass",
            "severity": "high",
            "violation_count": 0,
        },
    ]
    return {
        "framework_id": framework,
        "framework_name": "PCI DSS",
        "framework_version": "4.0",
        "target": target,
        "status": "fail",
        "summary": {"total": 2, "passed": 1, "failed": 1, "warnings": 0, "compliance_percentage": 50.0},
        **({"requirements": requirements} if detailed else {}),
        "evaluated_at": "2026-11-26T08:00:00.123456789Z",
    }


STATS = {
    "total_scans": 3,
    "completed_scans": 2,
    "failed_scans": 1,
    "avg_scan_duration_seconds": 4.2,
    "scans_last_24h": 3,
    "scans_last_7d": 3,
    "top_domains": [{"domain": "example.com", "scan_count": 2, "last_scan": "2026-11-26T08:00:00Z"}],
    "api_usage": {"requests_last_hour": 10, "requests_last_day": 20, "avg_response_time_ms": 1.5},
}


def history(domain: str, port: int, limit: int) -> dict[str, Any]:
    """Three stored scans, or as many as are asked for."""
    scans = [
        {"scan_id": 3, "timestamp": "2026-11-26T08:00:00Z", "grade": "A+", "score": 95, "duration_ms": 4200},
        {"scan_id": 2, "timestamp": "2026-11-25T08:00:00Z", "grade": "A", "score": 90, "duration_ms": 4100},
        {"scan_id": 1, "timestamp": "2026-11-24T08:00:00Z", "grade": None, "score": None, "duration_ms": None},
    ]
    return {"domain": domain, "port": port, "total_scans": len(scans), "scans": scans[:limit]}


def policy(name: str, description: str | None, rules: str, enabled: bool) -> dict[str, Any]:
    """A policy as it is kept."""
    return {
        "id": name.lower().replace(" ", "-"),
        "name": name,
        "description": description,
        "rules": rules,
        "enabled": enabled,
        "created_at": "2026-11-26T08:00:00Z",
        "updated_at": "2026-11-26T08:00:00Z",
    }


def evaluation(policy_id: str, name: str, target: str, scan_id: str) -> dict[str, Any]:
    """A target that breaks one rule."""
    return {
        "policy_id": policy_id,
        "policy_name": name,
        "target": target,
        "compliant": False,
        "checks": [
            {
                "check": "protocols.prohibited",
                "passed": False,
                "severity": "fail",
                "message": "TLS 1.0 is on",
                "expected": "off",
                "actual": "on",
            }
        ],
        "evaluated_at": "2026-11-26T08:00:00Z",
        "scan_id": scan_id,
    }
