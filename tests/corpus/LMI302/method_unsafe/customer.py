import boto3

dynamodb = boto3.client("dynamodb")


class Customer:
    def __init__(self, number):
        key = {"id": {"S": number}}
        self.item = dynamodb.get_item(TableName="customers", Key=key)["Item"]  # unsafe: LMI302

    @property
    def discount(self):
        key = {"plan": self.item["plan"]}
        return dynamodb.get_item(TableName="plans", Key=key)["Item"]["discount"]["N"]  # unsafe: LMI302
