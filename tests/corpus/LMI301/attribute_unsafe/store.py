import boto3


class Store:
    def __init__(self, table):
        self.table = table
        self.client = boto3.client("dynamodb")

    async def put(self, key, body):
        item = {"id": {"S": key}, "body": {"S": body}}
        self.client.put_item(TableName=self.table, Item=item)  # unsafe: LMI301

    async def count(self):
        found = self.client.scan(TableName=self.table, Select="COUNT")  # unsafe: LMI301
        return found["Count"]
