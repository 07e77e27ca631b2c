import boto3
from fastapi import APIRouter, Depends

router = APIRouter()
dynamodb = boto3.client("dynamodb")
opened = set()


async def user(token: str):
    found = dynamodb.get_item(TableName="users", Key={"token": {"S": token}})  # unsafe: LMI301
    return found["Item"]["name"]["S"]


@router.get("/{number}")
async def show(number: str, name: str = Depends(user)):
    opened.add(number)  # unsafe: LMI101
    return dynamodb.get_item(TableName="orders", Key={"id": {"S": number}})  # unsafe: LMI301
