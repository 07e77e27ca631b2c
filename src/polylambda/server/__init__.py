"""The Runtime API, server side: what an execution environment talks to.

A `Broker` holds the invocations of one environment, a `RuntimeApi` serves them over HTTP, a `RuntimeProcess` runs a
command against it. Who invokes (the local server, the plane, tests) and how HTTP reaches them is not in here.
"""
