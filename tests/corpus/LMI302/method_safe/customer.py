import boto3

dynamodb = boto3.client("dynamodb")
PLANS = {each["plan"]["S"]: each for each in dynamodb.scan(TableName="plans")["Items"]}


class Customer:
    def __init__(self, item):
        self.item = item

    @classmethod
    def load(cls, number):
        return cls(dynamodb.get_item(TableName="customers", Key={"id": {"S": number}})["Item"])

    @property
    def discount(self):
        return PLANS[self.item["plan"]["S"]]["discount"]["N"]
