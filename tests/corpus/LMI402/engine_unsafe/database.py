import sqlalchemy
from sqlalchemy.orm import Session


def session():
    engine = sqlalchemy.create_engine("postgresql+psycopg://orders")  # unsafe: LMI402
    return Session(engine)
