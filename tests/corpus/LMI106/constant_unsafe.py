"""Constants, but more than one: a success here is another one's failure."""
# mode: thread
from tasks import run


class Job:
    def __init__(self):
        self.status = None

    def handle(self, event, context):
        self.status = "running"  # unsafe: LMI106
        try:
            run(event["task"])
            self.status = "done"  # unsafe: LMI106
        except ValueError:
            self.status = "failed"  # unsafe: LMI106
        return {"status": self.status}


handler = Job()
