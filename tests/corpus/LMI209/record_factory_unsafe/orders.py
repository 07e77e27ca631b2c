import logging

import database


async def place(body):
    logging.info("placing")
    return await database.insert(body)
