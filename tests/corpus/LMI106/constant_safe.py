"""One constant, whoever writes it."""
# mode: thread
from tasks import run


class Job:
    def __init__(self):
        self.was_used = False

    def handle(self, event, context):
        self.was_used = True
        status = "running"
        try:
            run(event["task"])
            status = "done"
        except ValueError:
            status = "failed"
        return {"status": status}


handler = Job()
