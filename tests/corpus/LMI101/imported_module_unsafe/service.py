import aiofiles

import config


async def place(body):
    async with aiofiles.open("/opt/catalogue.json") as file:
        catalogue = await file.read()
    return {"tenant": config.tenant, "found": body in catalogue}
