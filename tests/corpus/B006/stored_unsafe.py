"""The default is kept by the object, and changed there."""
# mode: process


class Answer:
    def __init__(self, status, headers={}):  # unsafe: B006
        self.status = status
        self.headers = headers

    def cookie(self, value):
        self.headers["set-cookie"] = value


def handler(event, context):
    answer = Answer(200)
    if "session" in event:
        answer.cookie(event["session"])
    return {"statusCode": answer.status, "headers": answer.headers}
