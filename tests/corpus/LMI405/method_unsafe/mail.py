import aiosmtplib


class Mailbox:
    def __init__(self, host):
        self.host = host

    async def send(self, text):
        await aiosmtplib.send(text, hostname=self.host)
