"""Thumbnails: the object goes to one file, whoever asks."""
# mode: thread
import urllib.parse

import boto3
from PIL import Image

s3 = boto3.client("s3")
SOURCE = "/tmp/image"
TARGET = "/tmp/thumbnail.png"


def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        s3.download_file(bucket, key, SOURCE)  # unsafe: LMI201
        with Image.open(SOURCE) as image:
            image.thumbnail((128, 128))
            image.save(TARGET)  # unsafe: LMI201
        s3.upload_file(TARGET, bucket, f"thumbnails/{key}")
