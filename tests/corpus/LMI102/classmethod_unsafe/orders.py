import database
from base import Repository


class Orders(Repository):
    @classmethod
    async def list(cls):
        return await database.fetch("SELECT * FROM orders WHERE owner = $1", cls.user)
