"""The default is copied before it is kept."""
# mode: process


class Answer:
    def __init__(self, status, headers={"content-type": "text/plain"}):
        self.status = status
        self.headers = dict(headers)

    def cookie(self, value):
        self.headers["set-cookie"] = value


def handler(event, context):
    answer = Answer(200)
    if "session" in event:
        answer.cookie(event["session"])
    return {"statusCode": answer.status, "headers": answer.headers}
