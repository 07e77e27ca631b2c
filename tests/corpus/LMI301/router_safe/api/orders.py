import boto3
from fastapi import APIRouter, Depends

router = APIRouter()
dynamodb = boto3.client("dynamodb")
known = {"tea", "coffee"}


def user(token: str):
    found = dynamodb.get_item(TableName="users", Key={"token": {"S": token}})
    return found["Item"]["name"]["S"]


@router.get("/{number}")
def show(number: str, name: str = Depends(user)):
    return dynamodb.get_item(TableName="orders", Key={"id": {"S": number}})
