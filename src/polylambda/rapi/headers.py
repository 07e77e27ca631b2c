"""Names of the Runtime API: paths, headers, content types. They are written here and nowhere else.

Header names are the lower-case form that lookups use; HTTP does not care about their case.
See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
"""

import sys

API_PREFIX = "/2018-06-01"
EXTENSION_PREFIX = "/2020-01-01/extension"

NEXT_PATH = f"{API_PREFIX}/runtime/invocation/next"
INVOCATION_PATH = f"{API_PREFIX}/runtime/invocation/"  # + request id + /response or /error
INIT_ERROR_PATH = f"{API_PREFIX}/runtime/init/error"
RESTORE_NEXT_PATH = f"{API_PREFIX}/runtime/restore/next"
RESTORE_ERROR_PATH = f"{API_PREFIX}/runtime/restore/error"
PING_PATH = f"{API_PREFIX}/ping"
EXTENSION_REGISTER_PATH = f"{EXTENSION_PREFIX}/register"
EXTENSION_NEXT_PATH = f"{EXTENSION_PREFIX}/event/next"

USER_AGENT = "polylambda-python/{}.{}.{}".format(*sys.version_info[:3])

# On the answer to GET next.
REQUEST_ID = "lambda-runtime-aws-request-id"
INVOCATION_ID = "lambda-runtime-invocation-id"
DEADLINE_MS = "lambda-runtime-deadline-ms"
FUNCTION_ARN = "lambda-runtime-invoked-function-arn"
TRACE_ID = "lambda-runtime-trace-id"
CLIENT_CONTEXT = "lambda-runtime-client-context"
COGNITO_IDENTITY = "lambda-runtime-cognito-identity"
TENANT_ID = "lambda-runtime-aws-tenant-id"

# On responses and errors.
RESPONSE_MODE = "lambda-runtime-function-response-mode"
ERROR_TYPE = "lambda-runtime-function-error-type"
ERROR_BODY = "lambda-runtime-function-error-body"
XRAY_ERROR_CAUSE = "lambda-runtime-function-xray-error-cause"

# On the Extensions API.
EXTENSION_NAME = "lambda-extension-name"
EXTENSION_IDENTIFIER = "lambda-extension-identifier"

JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
UNKNOWN = "application/unknown"  # what awslambdaric says of a bytes result
HTTP_INTEGRATION = "application/vnd.awslambda.http-integration-response"
PRELUDE_END = b"\0" * 8

# Sizes in bytes.
MAX_PAYLOAD = 6 * 1024 * 1024 + 100  # a buffered request or response
MAX_STREAM = 200 * 1024 * 1024  # a streamed response
MAX_ERROR_BODY = 1024 * 1024  # /error and /init/error
MAX_XRAY_CAUSE = 64 * 1024
