"""Test what you send, without a network.

    from cycletls.testing import capture_server

    with capture_server() as server:
        session.get(server.url, verify=server.ca_file)
        assert server.last.header_names[-2:] == ["b", "a"]
        assert server.last.ja4.startswith("t13d")

With pytest, the fixture ``cycletls_capture`` is such a server. Nothing here is
imported by ``import cycletls``.
"""

from ._capture import CapturedRequest, CaptureServer, Frame, implied_profile

capture_server = CaptureServer

__all__ = ["CaptureServer", "CapturedRequest", "Frame", "capture_server", "implied_profile"]
