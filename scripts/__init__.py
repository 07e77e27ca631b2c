"""What the Makefile runs: virtual environments, the tests on every Python, the tools of the conformance tests.

Standard library only: these programs run before anything is installed.
"""
