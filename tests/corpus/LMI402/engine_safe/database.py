import sqlalchemy
from sqlalchemy.orm import Session

engine = sqlalchemy.create_engine("postgresql+psycopg://orders")


def session():
    return Session(engine)
