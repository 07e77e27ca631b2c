"""Another function of that name, and one that only the command line uses."""
# mode: task
import forms


async def handler(event, context):
    return await forms.input(event["field"])


if __name__ == "__main__":
    print(input("event? "))
