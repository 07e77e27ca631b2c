"""A function that is a program of its own: `program.py CLASS HANDLER` runs `CLASS(handler).run()`."""

from __future__ import annotations

import sys

import handlers

import polylambda

getattr(polylambda, sys.argv[1])(getattr(handlers, sys.argv[2])).run()
