from fastapi import FastAPI

from api import orders

application = FastAPI()
application.include_router(orders.router, prefix="/orders")


@application.get("/health")
async def health():
    return {"open": len(orders.opened)}
