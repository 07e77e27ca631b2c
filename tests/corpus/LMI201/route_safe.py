"""The same with a name of its own, handed to the class."""
# mode: process
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver

app = APIGatewayRestResolver()
logger = Logger()


class Exporter:
    folder = "/tmp"

    def __init__(self, request):
        self.path = f"{self.folder}/export-{request}.json"

    def write(self, body):
        with open(self.path, mode="w") as file:
            file.write(body)
        return self.path


@app.post("/export")
def export():
    return {"path": Exporter(app.lambda_context.aws_request_id).write(app.current_event.body)}


@logger.inject_lambda_context
def handler(event, context):
    return app.resolve(event, context)
