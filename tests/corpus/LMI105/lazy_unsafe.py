"""The first caller's region is everybody's, for as long as the process lives; also when one runs after the other."""
# mode: process
_region = None


def handler(event, context):
    return {"region": region(event)}


def region(event):
    global _region
    if _region is None:
        _region = event["headers"]["cloudfront-viewer-country"]  # unsafe: LMI105
    return _region
