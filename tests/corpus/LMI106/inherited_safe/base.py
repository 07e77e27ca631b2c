class BaseHandler:
    user = None

    def __init__(self, event, context):
        self.event = event
        self.context = context

    def respond(self):
        self.user = self.event["user"]
        self.started = self.context.deadline
        return self.run()

    def run(self):
        raise NotImplementedError
