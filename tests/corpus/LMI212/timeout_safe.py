"""The default is set at import, other limits are those of one socket."""
# mode: thread
import socket

socket.setdefaulttimeout(5)


def handler(event, context):
    with socket.create_connection((event["host"], 7), timeout=2) as connection:
        connection.settimeout(context.get_remaining_time_in_millis() / 1000)
        connection.sendall(b"ping")
        return {"answer": connection.recv(4).decode(), "default": socket.getdefaulttimeout()}
