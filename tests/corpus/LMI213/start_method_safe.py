"""A context has its own method."""
# mode: process
import multiprocessing


def square(number):
    return number * number


def handler(event, context):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return pool.map(square, event["numbers"])
