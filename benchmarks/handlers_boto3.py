"""The blocking handler of handlers_io.py in a module that makes a boto3 client, as most functions do."""

from __future__ import annotations

import boto3
import handlers_io

client = boto3.client("s3")
query = handlers_io.query
