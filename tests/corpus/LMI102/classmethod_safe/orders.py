import database
from base import Repository


class Orders(Repository):
    async def list(self):
        return await database.fetch("SELECT * FROM orders WHERE owner = $1", self.user)
