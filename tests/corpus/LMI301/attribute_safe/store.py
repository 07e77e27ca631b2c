class Store:
    def __init__(self, table, client):
        self.table = table
        self.client = client

    async def put(self, key, body):
        item = {"id": {"S": key}, "body": {"S": body}}
        await self.client.put_item(TableName=self.table, Item=item)

    async def count(self):
        found = await self.client.scan(TableName=self.table, Select="COUNT")
        return found["Count"]
