import boto3


class Orders:
    def __init__(self):
        self.client = boto3.client("dynamodb", region_name="eu-central-1")

    def find(self, number):
        return self.client.get_item(TableName="orders", Key={"id": {"S": number}})
