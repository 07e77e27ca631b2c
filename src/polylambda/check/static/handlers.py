"""Handlers: how they are recognised, and what they are called with."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polylambda.check.finding import Mode
from polylambda.check.static import attributes, calls, names, wrappers, writes
from polylambda.check.static.frame import Arguments, Frame
from polylambda.check.static.values import (
    CONTEXT,
    REQUEST,
    UNKNOWN,
    Atom,
    Bound,
    Class,
    Function,
    Home,
    Instance,
    Partial,
    Value,
    Wrapper,
    join,
)

if TYPE_CHECKING:
    from polylambda.check.static.engine import Checker
    from polylambda.check.static.project import Module

_NAMES = ("handler", "lambda_handler")
_ADAPTERS = frozenset(
    {"handler", "asgi", "Mangum", "LambdaRuntime", "LambdaManagedRuntime", "LambdaHandler", "make_handler"}
)
_EVENTS = frozenset({"event", "evt", "payload", "request", "input", "message"})
_APPLICATIONS = frozenset({"Chalice", "Zappa"})
_ASGI = ("polylambda.asgi.",)
_CONTEXT_NAMES = frozenset({"context", "ctx", "_context", "lambda_context", "aws_context", "_ctx", "_"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A name of a module that may be a handler.

    Attributes:
        run: it is the class of an object that has no name, and that a runtime is run with in this line.
    """

    module: Module
    name: str
    line: int
    run: bool = False


def candidates(module: Module) -> list[Candidate]:
    """Return what looks like a handler in a module, without evaluating anything."""
    found: list[Candidate] = []
    for statement in _top_level(module.body):
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if _is_handler(statement):
                    found.append(Candidate(module, name, statement.lineno))
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)):
                last = _last_name(func)
                if last in _ADAPTERS or _is_named_so(name) or last in _APPLICATIONS:
                    found.append(Candidate(module, name, statement.lineno))
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name() | ast.Attribute()):
                if name in _NAMES:
                    found.append(Candidate(module, name, statement.lineno))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Call(func=func, args=[first, *_])))):
                if _last_name(func) in _ADAPTERS and isinstance(first, ast.Name):
                    found.append(Candidate(module, first.id, statement.lineno))
                elif _last_name(func) in _ADAPTERS and isinstance(first, ast.Call) and _last_name(first.func):
                    found.append(Candidate(module, _last_name(first.func), statement.lineno, run=True))
            case _:
                pass
    return _without_doubles(found)


def _without_doubles(found: list[Candidate]) -> list[Candidate]:
    first: dict[str, Candidate] = {}
    for each in found:
        first.setdefault(each.name, each)
    return list(first.values())


def _top_level(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for statement in body:
        found.append(statement)
        if isinstance(statement, ast.If | ast.Try):
            found += _top_level(statement.body)
    return found


def _is_named_so(name: str) -> bool:
    return name in _NAMES or (name.endswith("_handler") and not name.startswith("_"))


def _is_handler(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = node.args.posonlyargs + node.args.args
    if not arguments or node.name.startswith("test_"):
        return False
    names_of = [each.arg.lstrip("_").lower() for each in arguments]
    last = arguments[-1].annotation
    if last is not None and ast.unparse(last).rpartition(".")[2].strip("'\"") == "LambdaContext":
        return True
    if names_of[-1] in ("context", "lambda_context", "ctx", "aws_context") and names_of[0] in _EVENTS:
        return True
    return node.name in _NAMES or (_is_named_so(node.name) and len(arguments) == 2 and names_of[0] in _EVENTS)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def value_of(checker: Checker, module: Module, name: str) -> Value:
    """Return what a dotted name of a module is; nothing when there is no such name."""
    scope = checker.import_module(module)
    first, *rest = name.split(".")
    if first not in scope.variables:
        return ()
    value = names.settled(scope.variables[first])
    frame = Frame(checker, module, scope, importing=True)
    for part in rest:
        value = attributes.load(frame, value, part, ast.Pass())
    return value


def value_at(checker: Checker, candidate: Candidate) -> Value:
    """Return what a candidate is."""
    if not candidate.run:
        return value_of(checker, candidate.module, candidate.name)
    checker.import_module(candidate.module)
    place = (candidate.module.path, candidate.line)
    return tuple(each for each in checker.runtimes if (each.site.path, each.site.line) == place)


def default_mode(checker: Checker, value: Value) -> Mode:
    """Return the mode in which a handler may share a process: tasks for `async def`, else threads."""
    for atom in value:
        match atom:
            case Function() | Bound() | Partial() | Wrapper():
                return Mode.TASK if wrappers.is_async(atom) else Mode.THREAD
            case Instance(kind=Class() as kind):
                methods = kind.find("handle") or kind.find("__call__") or ()
                return Mode.TASK if any(wrappers.is_async(each) for each in methods) else Mode.THREAD
            case Instance(kind=str() as kind):
                if atom in checker.runtimes:
                    return default_mode(checker, checker.runtimes[atom].at(0, "handler"))
                return Mode.TASK if kind.lstrip("?").startswith(_ASGI) else Mode.THREAD
            case _:
                pass
    return Mode.THREAD


def is_handler(checker: Checker, value: Value) -> bool:
    """Say whether a value can handle an event."""
    for atom in value:
        match atom:
            case Function() | Bound() | Wrapper():
                return True
            case Partial() if is_handler(checker, atom.target):
                return True
            case Instance(kind=Class() as kind) if kind.find("handle") or kind.find("__call__"):
                return True
            case Instance(kind=str()) if atom.callbacks or atom in checker.runtimes:
                return True
            case _:
                pass
    return False


def follow(checker: Checker, module: Module, value: Value, line: int) -> None:
    """Follow a handler through the project, as invocations do, with the middleware and lifespan of its runtime."""
    node = ast.Pass(lineno=line, col_offset=0)
    frame = Frame(checker, module, checker.import_module(module), importing=False)
    checker.state, checker.guarded = UNKNOWN, {}
    for runtime, arguments in list(checker.runtimes.items()):
        given = arguments.at(0, "handler")
        if runtime in value or any(atom in value for atom in given):
            _enter_lifespan(checker, module, arguments.named.get("lifespan", ()), node)
            checker.is_async = default_mode(checker, given) is Mode.TASK
            _run_middleware(frame, arguments.named.get("middleware", ()), node)
    checker.is_async = default_mode(checker, value) is Mode.TASK
    _start_applications(checker, module, node)
    for atom in value:
        if isinstance(atom, Instance) and atom in checker.runtimes:
            for each in checker.runtimes[atom].at(0, "handler"):
                _handle(frame, each, node)
        else:
            _handle(frame, atom, node)


def _handle(frame: Frame, atom: Atom, node: ast.AST) -> None:
    match atom:
        case Function():
            atom.traits.discard("safe")  # the claim is what is checked
            calls.invoke(frame, atom, _event_for(atom, 0), node)
        case Bound(function=function, receiver=receiver):
            calls.invoke(frame, function, _event_for(function, 1), node, receiver)
        case Instance(kind=Class() as kind):
            method = kind.find("handle") or kind.find("__call__") or ()
            for function in method:
                if isinstance(function, Function):
                    _handle(frame, Bound(function, (atom,)), node)
        case Instance():
            frame.loop = frame.engine.is_async
            calls.enter(frame, atom, node)
            frame.engine.report.use(frame, atom.site)
        case Partial() | Wrapper():
            frame.loop = wrappers.is_async(atom)
            frame.call((atom,), Arguments([REQUEST, CONTEXT]), node)
        case _:
            pass


def _event_for(function: Function, own: int) -> Arguments:
    spec = function.node.args
    plain = [each.arg for each in (spec.posonlyargs + spec.args)[own:]]
    match len(plain):
        case 0:
            return Arguments([REQUEST, CONTEXT] if spec.vararg is not None else [])
        case 1:
            return Arguments([REQUEST, CONTEXT] if spec.vararg is not None else [REQUEST])
        case 2:
            return Arguments([REQUEST, CONTEXT])
        case _:
            values = [CONTEXT if name in _CONTEXT_NAMES else UNKNOWN for name in plain[1:]]
            return Arguments([REQUEST, *values])


def _enter_lifespan(checker: Checker, module: Module, lifespan: Value, node: ast.AST) -> None:
    frame = Frame(checker, module, checker.import_module(module), importing=True, loop=True, lifespan=True)
    state: Value = ()
    for made in frame.call(lifespan, Arguments(partial=True, rest=UNKNOWN), node) if lifespan else ():
        if isinstance(made, Instance) and made.type_name in ("builtins.manager", "builtins.generator"):
            state = join(state, made.elements)
    writes.keep(state, Home("LMI106", "`context.state`", "context.state"))
    checker.state = state or UNKNOWN


def _start_applications(checker: Checker, module: Module, node: ast.AST) -> None:
    frame = Frame(checker, module, checker.import_module(module), importing=True, loop=True, lifespan=True)
    starts, checker.starts = checker.starts, ()
    for atom in starts:
        held = (atom,)
        if isinstance(atom, Instance) and isinstance(atom.kind, str):
            held = join(atom.elements, *atom.attributes.values())
        frame.call(held, Arguments(partial=True, rest=UNKNOWN), node)


def _run_middleware(frame: Frame, layers: Value, node: ast.AST) -> None:
    for layer in layers:
        if isinstance(layer, Instance):
            for value in (layer.elements, *layer.attributes.values()):
                frame.loop = frame.engine.is_async
                frame.call(value, Arguments([REQUEST, UNKNOWN, CONTEXT, UNKNOWN]), node)
                frame.loop = False
