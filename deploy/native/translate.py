"""Source to source: classes that msgspec makes become classes that mypyc can make native.

The sources stay as they are; what is compiled is this translation of them. A class of msgspec's (`Struct`) or a
`NamedTuple` that is only asked for its fields is written out with `__init__`, comparison and hash, and, where msgspec packs
it as an array, with `packed` and `unpacked`: the same rows as msgspec's, so that stored bytes are the same too.
Whatever a class has that this does not know is refused here, not guessed.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

KEYWORDS = frozenset(("frozen", "array_like", "order", "tag", "omit_defaults"))
"""What is known of msgspec's classes; in an array msgspec leaves no default out."""
PLAIN = frozenset(("bool", "bytes", "float", "int", "str"))
"""Types that are in a row as they are."""


class Unknown(Exception):
    """The sources hold something that cannot be translated."""


class Field(NamedTuple):
    """A field of a class: its name, its type and its default as they are written."""

    name: str
    type: ast.expr
    default: ast.expr | None

    @property
    def factory(self) -> str | None:
        """What makes its default, if something does."""
        if isinstance(self.default, ast.Call) and ast.unparse(self.default.func) == "field":
            return ast.unparse(self.default.keywords[0].value)
        return None


class Kind(NamedTuple):
    """A class to translate."""

    name: str
    base: str
    options: Mapping[str, object]
    fields: tuple[Field, ...]

    @property
    def tag(self) -> int | None:
        """What msgspec puts before the fields."""
        tag = self.options.get("tag")
        return tag if isinstance(tag, int) else None


class Vocabulary:
    """What the names in types mean: classes to translate, enumerations, and other names for types."""

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}
        self.enums: set[str] = set()
        self.aliases: dict[str, ast.expr] = {}

    def learn(self, tree: ast.Module) -> None:
        """Take the names of a module in."""
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.aliases[node.targets[0].id] = node.value
            elif isinstance(node, ast.ClassDef):
                bases = [ast.unparse(b).removeprefix("msgspec.") for b in node.bases]
                if set(bases) & {"IntEnum", "Enum"}:
                    self.enums.add(node.name)
                elif bases and (bases[0] in ("Struct", "NamedTuple") or bases[0] in self.kinds):
                    self.kinds[node.name] = self._kind(node, bases[0])

    def _kind(self, node: ast.ClassDef, base: str) -> Kind:
        options = {k.arg or "": ast.literal_eval(k.value) for k in node.keywords}
        if not options.keys() <= KEYWORDS:
            raise Unknown(f"class {node.name}: {sorted(options.keys() - KEYWORDS)}")
        if base in self.kinds:
            options = {**self.kinds[base].options, **options}
        fields = [
            Field(f.target.id, f.annotation, f.value)
            for f in node.body
            if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)
        ]
        return Kind(node.name, base, options, tuple(fields))

    def of_union(self, type: ast.expr) -> list[ast.expr]:
        """The members of a union; other names are followed."""
        if isinstance(type, ast.Name) and type.id in self.aliases:
            found = self.of_union(self.aliases[type.id])
            return found if len(found) > 1 else [type]
        if isinstance(type, ast.BinOp) and isinstance(type.op, ast.BitOr):
            return [*self.of_union(type.left), *self.of_union(type.right)]
        return [type]


def refuse_what_changes(source: str, words: Vocabulary, place: str) -> None:
    """Refuse what would be something else when compiled: classes of msgspec's, and whether two tuples are one."""
    tree = ast.parse(source)
    tuples = {
        ast.unparse(target)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Tuple)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name not in words.kinds and _is_struct(node):
            raise Unknown(f"{place}: class {node.name} is msgspec's; translate its module, or do not compile it")
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            compared = tuples.intersection(map(ast.unparse, (node.left, *node.comparators)))
            if compared:
                raise Unknown(
                    f"{place}: `{ast.unparse(node)}`: a compiled tuple is never the same one; compare with =="
                )


def _is_struct(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith("Struct") for base in node.bases)


def translated(source: str, words: Vocabulary) -> str:
    """A module with its classes written out; all else stays as it is, line by line where nothing is inserted."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.ClassDef) and node.name in words.kinds:
            lines[node.lineno - 1 : node.end_lineno] = _class(node, lines, words)
    return "".join(lines)


def _class(node: ast.ClassDef, lines: list[str], words: Vocabulary) -> Iterator[str]:
    kind = words.kinds[node.name]
    base = f"({kind.base})" if kind.base in words.kinds else ""
    # Values of the gate refer to parts of their own only: looking for cycles among them would be for nothing.
    yield f"@mypyc_attr(acyclic=True)\nclass {node.name}{base}:\n"
    yield '    """See the source."""\n\n'
    if kind.fields:
        yield from _written(kind, words)
    for member in node.body:
        if isinstance(member, ast.FunctionDef):
            first = min([member.lineno, *(d.lineno for d in member.decorator_list)])
            yield "\n"
            yield from lines[first - 1 : member.end_lineno]
            yield "\n"


def _written(kind: Kind, words: Vocabulary) -> Iterator[str]:
    yield from _init(kind)
    yield from _compared(kind)
    fields = ", ".join(f"self.{f.name}" for f in kind.fields)
    yield f"    def __reduce__(self) -> 'tuple[Any, ...]':\n        return ({kind.name}, ({fields},))\n\n"
    shown = ", ".join(f"{f.name}={{self.{f.name}!r}}" for f in kind.fields)
    yield f"    def __repr__(self) -> str:\n        return f'{kind.name}({shown})'\n\n"
    names = ", ".join(repr(f.name) for f in kind.fields)
    yield f"    @staticmethod\n    def field_names() -> tuple[str, ...]:\n        return ({names},)\n\n"
    if kind.options.get("array_like"):
        yield from _packing(kind, words)


def _init(kind: Kind) -> Iterator[str]:
    given, set_ = [], []
    for f in kind.fields:
        type = ast.unparse(f.type)
        if f.factory:
            given.append(f"{f.name}: 'Optional[{type}]' = None")
            set_.append(f"self.{f.name}: {type} = {f.factory}() if {f.name} is None else {f.name}")
        else:
            given.append(f"{f.name}: {type}" + (f" = {ast.unparse(f.default)}" if f.default else ""))
            set_.append(f"self.{f.name} = {f.name}")
    yield f"    def __init__(self, {', '.join(given)}) -> None:\n"
    yield from (f"        {line}\n" for line in set_)
    yield "\n"


def _compared(kind: Kind) -> Iterator[str]:
    def row(of: str) -> str:
        return "(" + "".join(f"{of}.{f.name}, " for f in kind.fields) + ")"

    same = " and ".join(f"self.{f.name} == other.{f.name}" for f in kind.fields)
    yield "    def __eq__(self, other: object) -> bool:\n"
    yield f"        return isinstance(other, {kind.name}) and {same}\n\n"
    if kind.options.get("frozen") or kind.base == "NamedTuple":
        yield f"    def __hash__(self) -> int:\n        return hash({row('self')})\n\n"
    if kind.options.get("order"):
        for name, sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
            yield f"    def __{name}__(self, other: '{kind.name}') -> bool:\n"
            yield f"        return {row('self')} {sign} {row('other')}\n\n"


def _packing(kind: Kind, words: Vocabulary) -> Iterator[str]:
    tag = [] if kind.tag is None else [str(kind.tag)]
    packing = Packing(words)
    row = [*tag, *(packing.packed(f.type, f"self.{f.name}") for f in kind.fields)]
    yield f"    def packed(self) -> 'list[Any]':\n        row: list[Any] = [{', '.join(row)}]\n"
    yield "        return row\n\n"
    yield f"    @staticmethod\n    def unpacked(row: Any) -> '{kind.name}':\n"
    needed = len(tag) + sum(f.default is None for f in kind.fields)
    fields = [packing.unpacked(f.type, f"row[{n}]") for n, f in enumerate(kind.fields, len(tag))]
    if needed < len(row):
        yield "        many = len(row)\n"
        fields = [
            got if f.default is None else f"({got} if many > {n} else {_default(f)})"
            for n, (f, got) in enumerate(zip(kind.fields, fields, strict=True), len(tag))
        ]
    yield f"        return {kind.name}({', '.join(fields)})\n\n"


def _default(field: Field) -> str:
    return f"{field.factory}()" if field.factory else ast.unparse(field.default or ast.Constant(None))


Turn = Callable[[ast.expr, str, int], str]
"""Makes, of a type and an expression of a value, an expression of what it becomes; the same if nothing changes."""


class Packing:
    """Expressions that turn values into rows and back, by their types."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words

    def packed(self, type: ast.expr, value: str, depth: int = 0) -> str:
        """An expression of the packed form of `value`."""
        return self._turned(type, value, depth, self.packed, lambda name, v: f"{v}.packed()", back=False)

    def unpacked(self, type: ast.expr, value: str, depth: int = 0) -> str:
        """An expression of what the packed `value` was made from."""
        return self._turned(type, value, depth, self.unpacked, lambda name, v: f"{name}.unpacked({v})", back=True)

    def _turned(
        self, type: ast.expr, value: str, depth: int, turn: Turn, of_kind: Callable[[str, str], str], back: bool
    ) -> str:
        every = self._words.of_union(type)
        members = [m for m in every if ast.unparse(m) != "None"]
        if len(members) > 1:
            return self._of_several(members, value, back)
        inner = self._one(members[0], value, depth, turn, of_kind, back)
        return inner if inner == value or len(members) == len(every) else f"(None if {value} is None else {inner})"

    def _of_several(self, members: list[ast.expr], value: str, back: bool) -> str:
        held = [ast.unparse(m) in self._words.kinds for m in members]
        if all(held):
            return f"said_unpacked({value})" if back else f"{value}.packed()"
        if any(held):
            raise Unknown(f"a union of {', '.join(map(ast.unparse, members))}")
        rows = [m for m in members if ast.unparse(m).startswith("tuple[")]
        return f"(tuple({value}) if isinstance({value}, list) else {value})" if rows and back else value

    def _one(
        self, type: ast.expr, value: str, depth: int, turn: Turn, of_kind: Callable[[str, str], str], back: bool
    ) -> str:
        while isinstance(type, ast.Name) and type.id in self._words.aliases:
            type = self._words.aliases[type.id]
        name = ast.unparse(type)
        if name in self._words.enums:
            return f"{name}({value})" if back else f"int({value})"
        if name in self._words.kinds:
            return of_kind(name, value)
        if isinstance(type, ast.Name) and type.id not in PLAIN:
            raise Unknown(f"`{name}` is no type that is known: translate its module first")
        if not isinstance(type, ast.Subscript) or ast.unparse(type.value) not in ("list", "tuple", "dict"):
            return value
        outer = ast.unparse(type.value)
        parts = type.slice.elts if isinstance(type.slice, ast.Tuple) else [type.slice]
        if outer == "dict":
            return self._dict(parts, value, depth, turn, back)
        if outer == "tuple" and ast.unparse(parts[-1]) != "...":
            turned = [turn(part, f"{value}[{n}]", depth) for n, part in enumerate(parts)]
            return f"({', '.join(turned)},)" if back else value
        each = f"each{depth}"
        one = turn(parts[0], each, depth + 1)
        if one != each:
            listed = f"[{one} for {each} in {value}]"
            return f"tuple({listed})" if outer == "tuple" and back else listed
        return f"tuple({value})" if outer == "tuple" and back else value

    def _dict(self, parts: list[ast.expr], value: str, depth: int, turn: Turn, back: bool) -> str:
        key, each = f"key{depth}", f"each{depth}"
        first, second = turn(parts[0], key, depth + 1), turn(parts[1], each, depth + 1)
        if (first, second) == (key, each):
            return value
        first = first if back or first == key else f"tuple({first})"  # A row that is a key must be hashable.
        return f"{{{first}: {second} for {key}, {each} in {value}.items()}}"


def dispatch(words: Vocabulary) -> str:
    """A function that unpacks whichever class with a tag a row is of."""
    lines = ["def said_unpacked(row: Any) -> Any:\n", "    tag = row[0]\n"]
    for kind in words.kinds.values():
        if kind.tag is not None:
            lines.append(f"    if tag == {kind.tag}:\n        return {kind.name}.unpacked(row)\n")
    lines.append('    raise ValueError(f"no event has the tag {tag}")\n')
    return "".join(lines)
