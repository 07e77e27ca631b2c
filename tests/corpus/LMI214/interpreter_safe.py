"""Turned at import; looked at by the handler."""
# mode: thread
import gc
import sys

sys.path.insert(0, "/opt/plugins")
sys.setrecursionlimit(5000)
gc.freeze()

import expressions


def handler(event, context):
    if len(event["expression"]) > sys.getrecursionlimit():
        raise ValueError("too deep")
    path = [*sys.path, "/opt/more"]
    path.append("/opt/even-more")
    return {"value": expressions.evaluate(event["expression"]), "on": path, "tracked": gc.isenabled()}
