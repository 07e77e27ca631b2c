"""The resolver of Powertools keeps the current event in a class attribute, for all threads."""
# mode: thread
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

app = APIGatewayHttpResolver()  # unsafe: LMI403


@app.get("/orders/<order>")
def show(order):
    return {"order": order, "by": app.current_event.headers["x-user"]}


def handler(event, context):
    return app.resolve(event, context)
