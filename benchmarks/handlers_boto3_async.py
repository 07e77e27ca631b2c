"""The async handler of handlers_io_async.py in a module that makes a boto3 client."""

from __future__ import annotations

import boto3
import handlers_io_async

client = boto3.client("s3")
query = handlers_io_async.query
