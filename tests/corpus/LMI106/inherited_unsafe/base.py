class BaseHandler:
    user = None

    def __call__(self, event, context):
        self.user = event["user"]  # unsafe: LMI106
        self.started = context.deadline  # unsafe: LMI106
        return self.run(event)

    def run(self, event):
        raise NotImplementedError
