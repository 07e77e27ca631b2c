import aiosmtplib


class Mailbox:
    def __init__(self, host):
        self.host = host

    def prepare(self, text):
        print(f"{len(text)} characters to {self.host}")

    async def send(self, text):
        await aiosmtplib.send(text, hostname=self.host)
