"""Opens an upload that is as large as the caller likes."""
# mode: task
import base64
import io
import zipfile


async def handler(event, context):
    upload = io.BytesIO(base64.b64decode(event["body"]))
    with zipfile.ZipFile(upload) as archive:  # unsafe: LMI303
        archive.testzip()  # unsafe: LMI303
        return archive.namelist()
