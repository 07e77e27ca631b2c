"""Tests: `unit` (no I/O, on every Python), `integration` (loopback), `conformance` (AWS's own programs)."""
