"""From a handler's name, as AWS writes it, to the object it names."""

from __future__ import annotations

import importlib
import sys

from polylambda import errors
from polylambda.errors import InitError


def load_handler(name: str) -> object:
    """Import the handler called `name`: `module.function`, `package.module.function` or `path/to/module.function`.

    See https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html#python-handler-naming.

    Raises:
        InitError: with AWS's fault type: the name is malformed, the module cannot be imported or has a syntax error, or it
            has no such handler. What else a module raises while it is imported passes through.
    """
    path, _, function = name.rpartition(".")
    module_name = path.replace("/", ".")
    if not function or not all(module_name.split(".")):
        message = f"Bad handler {name!r}: it must be module.function, such as app.handler or folder/app.handler"
        raise InitError(errors.MALFORMED_HANDLER_NAME, message)
    if module_name.partition(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {path} as a handler module"
        raise InitError(errors.BUILT_IN_MODULE_CONFLICT, message)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise InitError(errors.IMPORT_MODULE_ERROR, f"Unable to import module {path!r}: {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise InitError(errors.USER_CODE_SYNTAX_ERROR, f"Syntax error in module {path!r}: {error}", trace) from error
    try:
        return getattr(module, function)
    except AttributeError as error:
        message = f"Handler {function!r} missing on module {path!r}"
        raise InitError(errors.HANDLER_NOT_FOUND, message, []) from error
