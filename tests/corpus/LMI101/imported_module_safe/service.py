import aiofiles


async def place(settings, body):
    async with aiofiles.open("/opt/catalogue.json") as file:
        catalogue = await file.read()
    return {"tenant": settings.tenant, "found": body in catalogue}
