"""The same, where `g` belongs to the request."""
# mode: thread
import awsgi
from flask import Flask, g, request

app = Flask(__name__)


@app.before_request
def named():
    g.name = request.args["name"]


@app.route("/")
def index():
    names = [g.name]
    names.append(request.args["name"])
    return ",".join(names)


def handler(event, context):
    return awsgi.response(app, event, context)
