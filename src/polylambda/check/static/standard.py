"""Built-ins and the standard library: what copies, what iterates, what puts paths together."""

from __future__ import annotations

from collections.abc import Callable

from polylambda.check.static import attributes, calls, containers, statements, writes
from polylambda.check.static.frame import Arguments, Call
from polylambda.check.static.texts import text_of
from polylambda.check.static.values import (
    CONTEXT,
    NONE,
    REQUEST,
    TEXT,
    UNKNOWN,
    Class,
    Const,
    External,
    Fixed,
    Home,
    Instance,
    Partial,
    Tag,
    Value,
    is_request,
    join,
)

Special = Callable[[Call], Value]


def _first(call: Call) -> Value:
    return call.at(0) or UNKNOWN


def _last(call: Call) -> Value:
    return call.arguments.positional[-1] if call.arguments.positional else UNKNOWN


def _partial(call: Call) -> Value:
    return (Partial(call.at(0), tuple(call.arguments.positional[1:]), tuple(call.arguments.named.items())),)


def _dict(kind: str) -> Special:
    def make(call: Call) -> Value:
        made = call.made(kind)
        source = call.at(0)
        containers.held(call.frame, source)
        for atom in source:
            if isinstance(atom, Instance):
                made.attributes.update(atom.attributes)
                made.elements = join(made.elements, atom.elements)
        if is_request(source):
            made.elements = join(made.elements, REQUEST)
        made.attributes.update(call.arguments.named)
        return (made,)

    return make


def _default_dict(call: Call) -> Value:
    made = call.made("collections.defaultdict")
    made.arguments = call.at(0)
    if call.at(1):
        made.elements = containers.elements_of(call.frame, call.at(1), call.node)
    return (made,)


def _collection(kind: str) -> Special:
    def make(call: Call) -> Value:
        made = call.made(kind)
        if call.at(0):
            made.elements = containers.elements_of(call.frame, call.at(0), call.node)
        return (made,)

    return make


def _typed(kind: str) -> Special:
    def make(call: Call) -> Value:
        made = call.made(kind)
        made.arguments = join((), *call.arguments.all())
        return (made,)

    return make


def _chained(kind: str) -> Special:
    def make(call: Call) -> Value:
        return (call.made(kind, join((), *_elements(call, call.arguments.positional))),)

    return make


def _elements(call: Call, values: list[Value]) -> list[Value]:
    return [containers.elements_of(call.frame, each, call.node) for each in values]


def _map(call: Call) -> Value:
    items = _elements(call, call.arguments.positional[1:])
    return (call.made("builtins.map", calls.call(call.frame, call.at(0), Arguments(items), call.node)),)


def _filter(call: Call) -> Value:
    items = _elements(call, call.arguments.positional[1:])
    calls.call(call.frame, call.at(0), Arguments(items), call.node)
    return (call.made("builtins.filter", items[0] if items else UNKNOWN),)


def _zip(call: Call) -> Value:
    pair = call.made("builtins.tuple")
    for position, elements in enumerate(_elements(call, call.arguments.positional)):
        pair.attributes[str(position)] = elements
    return (call.made("builtins.zip", (pair,)),)


def _enumerate(call: Call) -> Value:
    pair = call.made("builtins.tuple")
    pair.attributes = {"0": UNKNOWN, "1": containers.elements_of(call.frame, call.at(0), call.node)}
    return (call.made("builtins.enumerate", (pair,)),)


def _sorted(call: Call) -> Value:
    elements = containers.elements_of(call.frame, call.at(0), call.node)
    key = call.arguments.named.get("key")
    if key:
        calls.call(call.frame, key, Arguments([elements]), call.node)
    return (call.made("builtins.list", elements),)


def _extreme(call: Call) -> Value:
    return containers.held(call.frame, _sorted(call)) or UNKNOWN


def _reduce(call: Call) -> Value:
    elements = containers.elements_of(call.frame, call.at(1), call.node)
    return calls.call(call.frame, call.at(0), Arguments([call.at(2) or elements, elements]), call.node)


def _next(call: Call) -> Value:
    result: Value = ()
    for atom in call.at(0):
        if isinstance(atom, Instance) and isinstance(atom.kind, Class):
            method = atom.kind.find("__next__")
            if method is not None:
                result = join(result, calls.call(call.frame, attributes.bound(method, (atom,)), Arguments(), call.node))
        elif isinstance(atom, Instance):
            if atom.type_name in containers.ITERATORS:
                writes.consume(call.frame, atom, call.node)
            result = join(result, containers.held(call.frame, (atom,)))
        elif atom is Tag.REQUEST or atom is Tag.DERIVED:
            result = join(result, (atom,))
    return join(result, call.at(1)) or UNKNOWN


def _getattr(call: Call) -> Value:
    name = containers.key_name(call.at(1))
    if name is None:
        return UNKNOWN
    found = attributes.load(call.frame, call.at(0), name, call.node)
    return join(found if found != UNKNOWN else (), call.at(2)) or UNKNOWN


def _setattr(call: Call) -> Value:
    name = containers.key_name(call.at(1))
    if name is not None:
        attributes.store(call.frame, call.at(0), name, call.at(2), call.node)
        return NONE
    for atom in call.at(0):
        if isinstance(atom, Instance):
            writes.change(call.frame, atom, call.node, call.at(2), call.at(1))
            if atom.shared and not call.frame.importing:
                call.frame.engine.report.keep(call.at(2))
    return NONE


def _type(call: Call) -> Value:
    kinds = tuple(atom.kind for atom in call.at(0) if isinstance(atom, Instance) and isinstance(atom.kind, Class))
    return kinds or UNKNOWN


def _globals(call: Call) -> Value:
    module = call.frame.module
    known = call.frame.engine.import_module(module).variables
    if "globals()" not in known:
        home = Home("LMI101", f"the globals of module `{module.name}`", "globals()")
        site = call.frame.site(call.node)
        known["globals()"] = (Instance("builtins.dict", shared=True, site=site, home=home),)
    return known["globals()"]


def _text(call: Call) -> Value:
    return text_of([call.at(0)]) if call.at(0) else TEXT


def _always(value: Value) -> Special:
    return lambda _: value


def _of_environment(call: Call) -> Value:
    name = containers.key_name(call.at(0))
    return (Fixed(f"${name}" if name else "..."),)


def _joined_path(call: Call) -> Value:
    parts: list[Value] = []
    for value in call.arguments.all():
        parts += [(Const("/"),), value] if parts else [value]
    return text_of(parts) if parts else (Fixed("."),)


def _path(call: Call) -> Value:
    made = call.made("pathlib.Path")
    made.arguments = _joined_path(call)
    return (made,)


def _copy(call: Call) -> Value:
    return containers.copied(call.frame, call.at(0), call.node)


def _deep_copy(call: Call) -> Value:
    return containers.copied(call.frame, call.at(0), call.node, deep=True)


def _number(call: Call) -> Value:
    values = call.arguments.all()
    if any(is_request(each) for each in values):
        return REQUEST
    is_fixed = values and all(isinstance(atom, Const | Fixed | External) for value in values for atom in value)
    return TEXT if is_fixed else UNKNOWN


def _open(call: Call) -> Value:
    made = call.made("io.TextIOWrapper")
    made.arguments = call.at(0)
    return (made,)


def _enter_context(call: Call) -> Value | None:
    if call.owner is None or "ExitStack" not in call.owner.type_name:
        return None
    call.note_joined(call.at(0))
    return statements.entered(call.frame, call.at(0), call.node)


def _move(call: Call) -> Value | None:
    if call.owner is None or call.owner.type_name not in containers.ITERATORS:
        return None
    writes.consume(call.frame, call.owner, call.node)
    return UNKNOWN


def _made_path(call: Call) -> Value:
    """Made at import, it is one for all invocations of the process."""
    return (Fixed("$TMPDIR/...", by_process=True),) if call.frame.importing else UNKNOWN


def _write(call: Call) -> Value | None:
    return _move(call) if call.owner is not None and call.owner.type_name.startswith("tempfile.") else None


_NUMBERS = "len int float bool isinstance issubclass hasattr callable hash id abs round sum ord"
_TYPED = "itertools.count itertools.cycle csv.reader csv.DictReader threading.local"
_COLLECTIONS = """builtins.list builtins.tuple builtins.set builtins.frozenset builtins.bytearray collections.deque
collections.Counter"""

FUNCTIONS: dict[str, Special] = {
    **{f"builtins.{name}": _number for name in _NUMBERS.split()},
    **{kind: _typed(kind) for kind in _TYPED.split()},
    **{kind: _collection(kind) for kind in _COLLECTIONS.split()},
    **{name: _chained("builtins.iterator") for name in ("builtins.iter", "builtins.aiter", "builtins.reversed")},
    "builtins.anext": _next,
    "builtins.dict": _dict("builtins.dict"),
    "builtins.enumerate": _enumerate,
    "builtins.filter": _filter,
    "builtins.getattr": _getattr,
    "builtins.globals": _globals,
    "builtins.map": _map,
    "builtins.max": _extreme,
    "builtins.min": _extreme,
    "builtins.next": _next,
    "builtins.open": _open,
    "builtins.repr": _text,
    "builtins.setattr": _setattr,
    "builtins.sorted": _sorted,
    "builtins.str": _text,
    "builtins.type": _type,
    "builtins.vars": _first,
    "builtins.zip": _zip,
    "collections.OrderedDict": _dict("collections.OrderedDict"),
    "collections.defaultdict": _default_dict,
    "contextlib.aclosing": _first,
    "contextlib.closing": _first,
    "copy.copy": _copy,
    "copy.deepcopy": _deep_copy,
    "dataclasses.replace": _copy,
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "io.open": _open,
    "itertools.chain": _chained("itertools.chain"),
    "os.environ.get": _of_environment,
    "os.fspath": _text,
    "os.getcwd": _always((Fixed("."),)),
    "os.getenv": _of_environment,
    "os.getpid": _always((Fixed("<pid>", by_process=True),)),
    "os.path.join": _joined_path,
    "pathlib.Path": _path,
    "pathlib.PurePath": _path,
    "polylambda.context.current_context": _always(CONTEXT),
    "polylambda.current_context": _always(CONTEXT),
    "tempfile.gettempdir": _always((Fixed("$TMPDIR"),)),  # a name to show
    "tempfile.mkdtemp": _made_path,
    "tempfile.mktemp": _made_path,
    "typing.cast": _last,
}

METHODS: dict[str, Callable[[Call], Value | None]] = {
    "__next__": _move,
    "enter_async_context": _enter_context,
    "enter_context": _enter_context,
    "read": _move,
    "readline": _move,
    "readlines": _move,
    "seek": _move,
    "write": _write,
    "writelines": _write,
}
