"""The engine and the factory are shared, the session is not."""
# mode: task
from models import Order
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://orders")
sessions = async_sessionmaker(engine)


async def handler(event, context):
    async with sessions() as session, session.begin():
        order = await session.get(Order, event["id"])
        order.status = "paid"
