"""Temporary names; and a fixed name inside a folder that is the invocation's own."""
# mode: thread
import tempfile
import urllib.parse
from pathlib import Path

import boto3
from PIL import Image

s3 = boto3.client("s3")


def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "image"
            target = Path(folder, "thumbnail.png")
            s3.download_file(bucket, key, str(source))
            with Image.open(source) as image:
                image.thumbnail((128, 128))
                image.save(target)
            s3.upload_file(str(target), bucket, f"thumbnails/{key}")
