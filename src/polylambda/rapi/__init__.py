"""The Runtime API, client side: what to say to the platform and what its answers mean.

`h1` and `wire` are bytes in, bytes and events out, with no I/O; `blocking` and `aio` carry the bytes over sockets.
Handlers, logging and everything else a runtime does live elsewhere.
"""
