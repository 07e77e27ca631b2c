"""The global is written through another name, and through a part of it."""
# mode: thread
SETTINGS = {"locale": "en", "flags": {"beta": False}}


def handler(event, context):
    settings = SETTINGS
    settings["locale"] = event["headers"].get("accept-language", "en")  # unsafe: LMI101
    flags = settings["flags"]
    flags.update(beta="beta" in event["queryStringParameters"])  # unsafe: LMI101
    return render(settings)


def render(settings):
    return {"statusCode": 200, "body": f"{settings['locale']} {settings['flags']}"}
