"""One for all, made at import, or when it is needed first; and one with the caller's own credentials."""
# mode: thread
from functools import cache

import boto3

sts = boto3.client("sts")


@cache
def bucket_client():
    return boto3.client("s3")


def handler(event, context):
    role = sts.assume_role(RoleArn=event["role"], RoleSessionName="orders")["Credentials"]
    theirs = boto3.client(
        "dynamodb",
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )
    tables = theirs.list_tables()["TableNames"]
    bucket_client().put_object(Bucket="reports", Key=context.aws_request_id, Body=str(tables))
    return tables
