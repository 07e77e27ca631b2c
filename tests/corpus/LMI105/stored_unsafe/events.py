import json


class Current:
    def __init__(self):
        self.parsed = None

    def body(self, event):
        if self.parsed is None:
            self.parsed = json.loads(event["body"])  # unsafe: LMI105
        return self.parsed
