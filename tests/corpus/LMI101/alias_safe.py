"""A copy, all the way down, belongs to the invocation."""
# mode: thread
import copy

SETTINGS = {"locale": "en", "flags": {"beta": False}}


def handler(event, context):
    settings = copy.deepcopy(SETTINGS)
    settings["locale"] = event["headers"].get("accept-language", "en")
    flags = settings["flags"]
    flags.update(beta="beta" in event["queryStringParameters"])
    merged = {**SETTINGS, "locale": "fr"}
    merged["locale"] = settings["locale"]
    names = list(SETTINGS)
    names.sort()
    return render(settings)


def render(settings):
    return {"statusCode": 200, "body": f"{settings['locale']} {settings['flags']}"}
