"""Ours and the peers side by side, on Linux: `make bench` writes RESULTS.md."""
