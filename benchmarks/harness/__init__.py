"""What `run.py` is made of: the machine and its venvs, the subjects and scenarios, one measured run, the report.

Only the standard library is used here; what is measured lives in a venv of its own. Nothing of polylambda is imported;
from this checkout only what its conformance tests know about AWS's emulator.
"""
