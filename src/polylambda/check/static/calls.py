"""What a call does, whatever is called."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from polylambda.check.facts import given_by
from polylambda.check.finding import Step
from polylambda.check.static import attributes, containers, effects, external, limits, objects, wrappers, writes
from polylambda.check.static.frame import Arguments, Call, Frame, Passed, Scope
from polylambda.check.static.values import (
    DERIVED,
    MOST_ATOMS,
    NONE,
    REQUEST,
    UNKNOWN,
    Atom,
    Bound,
    Class,
    Coroutine,
    External,
    Function,
    Home,
    Instance,
    Member,
    Partial,
    Tag,
    Value,
    Wrapper,
    is_request,
    join,
    key_of,
    shape_of,
)

if TYPE_CHECKING:
    from polylambda.check.static.engine import Checker


def call(frame: Frame, callee: Value, arguments: Arguments, node: ast.AST) -> Value:
    """Return what a call gives."""
    result: Value = ()
    _note_many(frame, callee, node)
    for atom in callee:
        match atom:
            case Function():
                is_decorator = frame.importing and not arguments.positional and wrappers.is_maker(atom)
                made = wrappers.configured(atom, arguments) if is_decorator else invoke(frame, atom, arguments, node)
            case Bound(function=function, receiver=receiver):
                made = invoke(frame, function, arguments, node, receiver)
            case Class():
                made = objects.instantiate(frame, atom, arguments, node)
            case Instance():
                made = _call_object(frame, atom, arguments, node)
            case Member(owner=owner, path=path) if owner.type_name in containers.BUILTIN and "." not in path:
                made = containers.call_method(frame, owner, path, arguments, node)
            case Member():
                made = external.call_member(frame, atom, arguments, node)
            case External(name=name):
                made = external.call(frame, name, arguments, node)
            case Partial():
                made = _call_partial(frame, atom, arguments, node)
            case Wrapper():
                made = wrappers.call(frame, atom, arguments, node)
            case _:
                made = _call_unknown(frame, arguments, node, of=atom)
        result = join(result, made)
    return result or UNKNOWN


def _note_many(frame: Frame, callee: Value, node: ast.AST) -> None:
    if len(callee) >= MOST_ATOMS:
        place = frame.place(node)
        _checker(frame).limits.reached("values", "", f"{place.path}:{place.line}", MOST_ATOMS - 1)


def _call_partial(frame: Frame, atom: Partial, arguments: Arguments, node: ast.AST) -> Value:
    whole = Arguments(
        [*atom.positional, *arguments.positional],
        {**dict(atom.named), **arguments.named},
        arguments.rest,
        arguments.partial,
    )
    return call(frame, atom.target, whole, node)


def _call_unknown(frame: Frame, arguments: Arguments, node: ast.AST, of: Atom = Tag.UNKNOWN) -> Value:
    call_back(frame, arguments, node)
    if of is Tag.REQUEST:
        return REQUEST
    return DERIVED if of is Tag.DERIVED or any(is_request(each) for each in arguments.all()) else UNKNOWN


def call_back(frame: Frame, arguments: Arguments, node: ast.AST) -> None:
    """Call the functions that are passed to code that is not the project's: it probably does."""
    if frame.importing:
        return
    for value in arguments.all():
        for atom in value:
            if isinstance(atom, Function | Bound | Partial | Wrapper):
                call(frame, (atom,), Arguments(partial=True, rest=UNKNOWN), node)


def _call_object(frame: Frame, target: Instance, arguments: Arguments, node: ast.AST) -> Value:
    if isinstance(target.kind, Class):
        method = target.kind.find("__call__")
        if method is not None:
            return call(frame, attributes.bound(method, (target,)), arguments, node)
        return UNKNOWN
    effects.apply(Call(frame, arguments, node, target), f"{target.kind}.__call__")
    enter(frame, target, node)
    if frame.importing:
        for value in arguments.all():
            target.callbacks.extend(atom for atom in value if isinstance(atom, Function | Bound | Instance))
    kind = given_by(f"{target.kind}.__call__")
    if kind is not None:
        made = frame.made(kind, node)
        effects.apply(Call(frame, arguments, node), kind, made)
        return (made,)
    return (target,) if frame.importing else _call_unknown(frame, arguments, node)


def enter(frame: Frame, target: Instance, node: ast.AST, seen: tuple[Instance, ...] = ()) -> None:
    """Somebody else's object calls back what it was given, such as the routes of an application."""
    if frame.importing or target in seen:
        return
    for atom in target.callbacks:
        if isinstance(atom, Function | Bound | Partial | Wrapper):
            call_route(frame, atom, node)
        elif isinstance(atom, Class):
            for value in atom.scope.variables.values():
                for each in value:
                    if isinstance(each, Function) and not each.name.startswith("_"):
                        call_route(frame, Bound(each, (Instance(atom, False, frame.site(node)),)), node)
        elif isinstance(atom, Instance):
            if isinstance(atom.kind, Class):
                _call_object(frame, atom, Arguments(partial=True, rest=REQUEST), node)
            else:
                enter(frame, atom, node, (*seen, target))


def call_route(frame: Frame, callback: Function | Bound | Partial | Wrapper, node: ast.AST) -> None:
    """Call a function with what a request says; a plain one runs in a thread when there is an event loop."""
    outer = frame.loop
    if not wrappers.is_async(callback):
        frame.loop = False
    try:
        result = call(frame, (callback,), Arguments(partial=True, rest=REQUEST), node)
        for atom in result:
            if isinstance(atom, Function):
                call(frame, (atom,), Arguments(partial=True, rest=REQUEST), node)
    finally:
        frame.loop = outer


def invoke(
    frame: Frame, function: Function, arguments: Arguments, node: ast.AST, receiver: Value | None = None
) -> Value:
    """Return what a function of the project gives, having followed it."""
    checker = _checker(frame)
    if receiver is not None:
        arguments = Arguments([receiver, *arguments.positional], arguments.named, arguments.rest, arguments.partial)
    if checker.depth >= limits.DEEPEST or checker.calls >= limits.CALLS:
        _cut(checker, function, "depth" if checker.depth >= limits.DEEPEST else "calls")
        return UNKNOWN
    inner = _frame_of(frame, function, node)
    _bind(frame, inner, function, arguments, node, 0 if receiver is None else 1)
    if frame.importing:
        return _run_at_import(checker, inner, function)
    checker.entered += 1
    key = _key(inner, function)
    checker.followed.add(id(function.node))
    ways = checker.ways.setdefault(id(function) if function.shared else id(function.node), {})
    if key in ways:
        result, locks = ways[key]
        if locks is not None:
            frame.locks = locks
        return result
    shape = _shape(inner, function)
    if len(ways) >= limits.WAYS and shape in ways:
        return ways[shape][0]
    if len(ways) >= 2 * limits.WAYS:
        _cut(checker, function, "ways")
        return next(iter(ways.values()))[0]
    ways[key] = ways[shape] = ((), None)  # whoever calls itself gets nothing new
    before = inner.locks
    result = _run(checker, inner, function)
    if "cached" in function.traits and function.shared:
        result = _kept(frame, function, arguments, result)
    leftover = inner.locks if inner.locks != before and not _is_generator(checker, function) else None
    if leftover is not None:
        frame.locks = leftover
    ways[key] = ways[shape] = (result, leftover)
    return result


def _checker(frame: Frame) -> Checker:
    return frame.engine  # pyright: ignore[reportReturnType] # the one implementation


def _cut(checker: Checker, function: Function, kind: str) -> None:
    checker.limits.reached(kind, function.name, f"{function.module.path}:{function.node.lineno}")


def _run_at_import(checker: Checker, inner: Frame, function: Function) -> Value:
    count = checker.at_import.get(id(function.node), 0)
    if count >= limits.AT_IMPORT:
        _cut(checker, function, "import")
        return UNKNOWN
    checker.at_import[id(function.node)] = count + 1
    return _run(checker, inner, function)


def _frame_of(frame: Frame, function: Function, node: ast.AST) -> Frame:
    is_async = isinstance(function.node, ast.AsyncFunctionDef)
    place = frame.place(node)
    step = Step(name_of(frame), place.path, getattr(node, "lineno", place.line))
    inner = Frame(
        frame.engine,
        function.module,
        Scope("function", function.name, function.scope, frame.importing),
        frame.importing,
        loop=is_async or frame.loop,
        direct=is_async,
        locks=frame.locks,
        trail=frame.trail if frame.importing or frame.function is None else (*frame.trail, step),
        function=function,
        quiet=frame.quiet or "safe" in function.traits,
        caching=frame.caching or "cached" in function.traits,
        lifespan=frame.lifespan,
        decided=frame.decided,
        empty=frame.empty,
        tested=frame.tested,
    )
    if frame.importing and not frame.lifespan:
        inner.origin = frame.origin or place
    return inner


def name_of(frame: Frame) -> str:
    """Return how the function that runs in a frame is called in a trail."""
    function = frame.function
    if function is None:
        return frame.module.name
    return f"{function.owner.name}.{function.name}" if function.owner is not None else function.name


def _bind(frame: Frame, inner: Frame, function: Function, arguments: Arguments, node: ast.AST, own: int) -> None:
    spec = function.node.args
    variables = inner.scope.variables
    plain = spec.posonlyargs + spec.args
    named = dict(arguments.named)
    for position, argument in enumerate(plain):
        if position < len(arguments.positional):
            value = arguments.positional[position]
        else:
            value = _missing(frame, function, argument, named, arguments, node)
        if position >= own:
            _hand_over(frame, inner, value, node)
        variables[argument.arg] = objects.by_annotation(inner, argument.annotation, value, node)
    for argument in spec.kwonlyargs:
        value = _missing(frame, function, argument, named, arguments, node)
        _hand_over(frame, inner, value, node)
        variables[argument.arg] = objects.by_annotation(inner, argument.annotation, value, node)
    if spec.vararg is not None:
        rest = arguments.positional[len(plain) :]
        made = frame.made("builtins.tuple", node, arguments.rest)
        made.attributes = {str(position): value for position, value in enumerate(rest)}
        variables[spec.vararg.arg] = (made,)
    if spec.kwarg is not None:
        made = frame.made("builtins.dict", node, arguments.rest)
        made.attributes = named
        variables[spec.kwarg.arg] = (made,)
    if frame.importing:
        for name, value in variables.items():
            writes.keep(value, inner.scope.home_of(name))


def _missing(
    frame: Frame, function: Function, argument: ast.arg, named: dict[str, Value], arguments: Arguments, node: ast.AST
) -> Value:
    if argument.arg in named:
        return named.pop(argument.arg)
    default = function.defaults.get(argument.arg)
    for atom in default or ():
        if isinstance(atom, Instance) and atom.type_name.endswith(".Depends"):
            return objects.provided(frame, atom, node)
    if arguments.partial:
        return join(arguments.rest, default or ()) or UNKNOWN
    return default if default is not None else UNKNOWN


def _hand_over(frame: Frame, inner: Frame, value: Value, node: ast.AST) -> None:
    if frame.importing:
        return
    for atom in value:
        if isinstance(atom, Instance) and atom.shared:
            inner.given[atom] = frame.given.get(atom) or Passed(frame.place(node), frame.trail)


def _key(inner: Frame, function: Function) -> object:
    parts = tuple([(name, key_of(value)) for name, value in inner.scope.variables.items()])
    passed = frozenset(each.site for each in inner.given.values())
    held = tuple([id(lock) for lock in inner.locks])
    return (*_surroundings(inner, function), parts, passed, held, inner.empty, inner.tested)


def _shape(inner: Frame, function: Function) -> object:
    """Return what two ways have in common when they differ in which objects, locks and tests, not in of what kind."""
    parts = tuple([(name, shape_of(value)) for name, value in inner.scope.variables.items()])
    about = (bool(inner.given), inner.is_guarded(), bool(inner.empty), bool(inner.tested))
    return ("shape", *_surroundings(inner, function), parts, about)


def _surroundings(inner: Frame, function: Function) -> tuple[object, ...]:
    closure = id(function) if function.shared else id(function.node)
    return (closure, inner.loop, inner.quiet, inner.caching, inner.decided)


def _run(checker: Checker, inner: Frame, function: Function) -> Value:
    node = function.node
    checker.depth += 1
    checker.calls += 1
    try:
        if isinstance(node, ast.Lambda):
            return inner.value(node.body)
        if not inner.importing:
            checker.report.reach(inner, node)
        if inner.run(node.body):
            inner.returned = join(inner.returned, NONE)
    finally:
        checker.depth -= 1
    result = inner.returned or UNKNOWN
    if _is_generator(checker, function):
        kind = "builtins.manager" if "manager" in function.traits else "builtins.generator"
        made = inner.made(kind, node, inner.yielded)
        made.locks = tuple(lock for lock in inner.locks_at_yield)
        return (made,)
    if isinstance(node, ast.AsyncFunctionDef):
        return (Coroutine(result, function.name),)
    return result


def _is_generator(checker: Checker, function: Function) -> bool:
    known = checker.generators.get(id(function.node))
    if known is None:
        known = not isinstance(function.node, ast.Lambda) and _yields(function.node.body)
        checker.generators[id(function.node)] = known
    return known


def _yields(body: list[ast.stmt]) -> bool:
    todo: list[ast.AST] = list(body)
    while todo:
        each = todo.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(each))
    return False


def _kept(frame: Frame, function: Function, arguments: Arguments, result: Value) -> Value:
    """What a cached function gives is given again, to others."""
    report = frame.engine.report
    given = [*arguments.all(), *function.defaults.values()]
    if is_request(result) and not any(is_request(each) for each in given) and not frame.quiet:
        message = f"the cache of `{function.name}` has no key of the request, and keeps what the first one gives"
        fix = "make what it depends on an argument of the function"
        marks = [atom for atom in function.attributes.get("__cached_at__", ()) if isinstance(atom, Instance)]
        site = marks[0].site if marks else frame.engine.site_of(function)
        report.add(frame, "LMI105", site, message, fix)
    home = Home("LMI101", f"what the cache of `{function.name}` keeps", function.name)
    writes.keep(result, home, escaping=True)
    report.keep(result)
    return result
