"""AWS's Lambda API in front of a plane, for unmodified SDKs, and the function URLs.

Routing, parsing, validation and answers follow botocore's model of the service; what an operation does is in the module
named after what it is about. `app.api` puts all of it into one ASGI application, `server` serves that. What runs
invocations is a `Control`, elsewhere.
"""
