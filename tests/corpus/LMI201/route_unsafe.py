"""A Powertools route that writes for its own method."""
# mode: process
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver

app = APIGatewayRestResolver()
logger = Logger()


class Exporter:
    path = "/tmp/export.json"

    def write(self, body):
        with open(self.path, mode="w") as file:  # unsafe: LMI201
            file.write(body)
        return self.path


@app.post("/export")
def export():
    return {"path": Exporter().write(app.current_event.body)}


@logger.inject_lambda_context
def handler(event, context):
    return app.resolve(event, context)
