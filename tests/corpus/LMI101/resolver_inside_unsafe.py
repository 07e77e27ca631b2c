"""The resolver is made by every invocation, its routes are not."""
# mode: thread
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.router import Router

router = Router()
bodies = []


@router.get("/orders")
def orders():
    bodies.append(router.current_event.body)  # unsafe: LMI101
    return {"count": len(bodies)}


def handler(event, context):
    app = APIGatewayHttpResolver()
    app.include_router(router)

    @app.get("/last")
    def last():
        bodies.append(app.current_event.body)  # unsafe: LMI101
        return {}

    return app.resolve(event, context)
