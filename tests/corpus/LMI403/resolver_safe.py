"""In process mode nobody else is there."""
# mode: process
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

app = APIGatewayHttpResolver()


@app.get("/orders/<order>")
def show(order):
    return {"order": order, "by": app.current_event.headers["x-user"]}


def handler(event, context):
    return app.resolve(event, context)
