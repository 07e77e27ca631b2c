"""An adapter calls the routes of the application that it is given with the event."""
# mode: thread
import awsgi
from flask import Flask, request

app = Flask(__name__)
names = []


@app.route("/")
def index():
    names.append(request.args["name"])  # unsafe: LMI101
    return ",".join(names)


@app.errorhandler(KeyError)
def missing(error):
    names.append(request.path)  # unsafe: LMI101
    return "no name", 400


def handler(event, context):
    return awsgi.response(app, event, context)
