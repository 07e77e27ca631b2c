"""A session of SQLAlchemy is one transaction, and takes one user at a time."""
# mode: task
from models import Order
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

engine = create_async_engine("postgresql+asyncpg://orders")
session = AsyncSession(engine)  # unsafe: LMI403


async def handler(event, context):
    order = await session.get(Order, event["id"])
    order.status = "paid"
    await session.commit()
