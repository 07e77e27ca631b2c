"""The same routes, with lists of their own."""
# mode: thread
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.router import Router

router = Router()


@router.get("/orders")
def orders():
    bodies = []
    bodies.append(router.current_event.body)
    return {"count": len(bodies)}


def handler(event, context):
    app = APIGatewayHttpResolver()
    app.include_router(router)
    bodies = []

    @app.get("/last")
    def last():
        bodies.append(app.current_event.body)
        return {}

    return app.resolve(event, context)
