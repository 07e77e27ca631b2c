"""May be called once in the life of a process: the second invocation fails."""
# mode: process
import multiprocessing


def square(number):
    return number * number


def handler(event, context):
    multiprocessing.set_start_method("spawn")  # unsafe: LMI213
    with multiprocessing.Pool(2) as pool:
        return pool.map(square, event["numbers"])
