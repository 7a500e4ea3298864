"""SQL over the user's DataFrames and data files: read-only, in a DuckDB of its own, apart from the store."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statebook.errors import ToolError
from statebook.protected import why_protected
from statebook.protocol.tools import ToolOutcome, ToolSpec

from .base import Tool, ToolContext
from .builtin import builtin_spec, check_arguments
from .workspace.text import shown
from .workspace.walk import walk

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Namespace = Callable[[], Mapping[str, object]]

_FILES = re.compile(r"\.(csv|tsv|parquet|json|jsonl|ndjson)(?:\.gz|\.zst)?$", re.IGNORECASE)
_READERS = {
    **dict.fromkeys(("csv", "tsv"), "read_csv"),
    **dict.fromkeys(("json", "jsonl", "ndjson"), "read_json"),
    "parquet": "read_parquet",
}
_NAMED = 20  # files that an error names
_MAX_FILES = 2_000
_MEMORY = "2GB"
_COUNTED = 100_000  # rows that are counted beyond those shown
_CELL = 200  # characters of one cell
_TEXT_CAP = 12_000  # characters of one result
_STRING = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?:ANALYZE\s+)?(?:\([^)]*\)\s*)?", re.IGNORECASE)
_PIVOT = re.compile(r"\s*(?:PIVOT|UNPIVOT|WITH|FROM|SELECT)\b", re.IGNORECASE)
_SHOW_TABLES = re.compile(r"\s*SHOW\s+(?:ALL\s+)?TABLES\s*;?\s*", re.IGNORECASE)
_LOCKED = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",  # else any name would reach into this module's variables
    "SET temp_directory = ''",
    f"SET memory_limit = '{_MEMORY}'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)

_SQL = builtin_spec(
    "sql",
    "Query the user's DataFrames (by variable name) and the workspace's CSV, Parquet and JSON files (by path in "
    "quotes) with DuckDB's SQL. Reading only. SHOW TABLES lists what there is, DESCRIBE and SUMMARIZE tell about one.",
    {
        "query": {"type": "string", "description": "One SELECT, WITH, SHOW, DESCRIBE, SUMMARIZE or EXPLAIN statement."},
        "limit": {
            "type": "integer",
            "description": "How many rows to show at most.",
            "default": 50,
            "minimum": 1,
            "maximum": 500,
        },
    },
)


class Sql:
    """The ``sql`` tool over ``namespace`` (the user's variables, asked for at each call) and a workspace folder.

    Every call has a DuckDB of its own, in memory, that can open nothing but the data files found in the workspace:
    no other file, no network, no extension, no writing; and its configuration is locked before the query runs.
    """

    def __init__(self, workspace: Path, namespace: Namespace) -> None:
        self._root = workspace.resolve()
        self._namespace = namespace

    @property
    def spec(self) -> ToolSpec:
        """What the model sees."""
        return _SQL

    def tools(self) -> tuple[Tool, ...]:
        """``sql`` alone, as the other built-in tools are given."""
        return (self,)

    async def call(self, arguments: dict[str, Any], _ctx: ToolContext) -> ToolOutcome:
        """Run one query on a worker thread; cancelling interrupts it. Raises ToolError."""
        checked = check_arguments(_SQL, arguments)
        # taken on the event loop's thread: the user's code may change the namespace while the worker runs
        frames = _frames(dict(self._namespace()))
        query, limit = checked["query"], checked["limit"]
        if _SHOW_TABLES.fullmatch(query):
            return ToolOutcome(await asyncio.to_thread(self._tables, frames))
        refused: dict[str, ToolError] = {}
        connection = await asyncio.to_thread(self._connect, query, frames, refused)
        work = asyncio.create_task(asyncio.to_thread(_run, connection, query, limit, refused))
        try:
            return ToolOutcome(await asyncio.shield(work))
        except asyncio.CancelledError:
            while not work.done():  # an interrupt that comes before the query began is lost: repeat it
                connection.interrupt()
                await asyncio.wait([work], timeout=0.05)
            work.exception()
            raise
        finally:
            connection.close()

    def _connect(self, query: str, frames: dict[str, Any], refused: dict[str, ToolError]) -> DuckDBPyConnection:
        """A locked database that holds what the query names; ``refused`` gets the patterns it won't open, and why."""
        import duckdb

        if not query.strip():
            raise ToolError("sql needs a query.", "SHOW TABLES lists what there is.")
        connection = duckdb.connect(":memory:")
        try:
            _check_statement(connection, query)
            named = {word.casefold() for word in re.findall(r"\w+", query)}
            for name, frame in frames.items():
                if name.casefold() in named:
                    _register(connection, name, frame)
            connection.execute(f"SET file_search_path = {_quoted(str(self._root))}")
            connection.execute(f"SET allowed_paths = {_list(self._allowed(connection, query, refused))}")
            for setting in _LOCKED:
                connection.execute(setting)
        except duckdb.Error as error:
            connection.close()
            raise _tool_error(error) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _data_files(self) -> list[Path]:
        listing = walk(self._root, lambda name: bool(_FILES.search(name)), max_files=_MAX_FILES)
        return list(listing.files)

    def _allowed(self, connection: DuckDBPyConnection, query: str, refused: dict[str, ToolError]) -> list[str]:
        """The paths DuckDB may open: data files (links are not among them), and patterns that find only such files.

        The relative spelling of a path is allowed only where the working directory has no other file of that name.
        A pattern that finds anything else is refused, since ``glob()`` would tell the names: only ``FROM 'pattern'``
        reads what it may of it, by a view of that name.
        """
        if not _STRING.search(query):
            return []
        here = Path.cwd()
        allowed: list[str] = []
        for file in self._data_files():
            relative = file.relative_to(self._root).as_posix()
            allowed.append(str(file))
            if here == self._root or not (here / relative).exists():
                allowed.append(relative)
        known = {Path(path) for path in allowed}
        for pattern in _patterns(self._root, query):
            found = [Path(path) for (path,) in connection.execute("SELECT file FROM glob(?)", [pattern]).fetchall()]
            readable = [path for path in found if path in known]
            if len(readable) == len(found):
                allowed.append(pattern)
            else:
                refused[pattern] = self._refusal(pattern, [path for path in found if path not in known], readable)
                _view(connection, pattern, readable)
        return allowed

    def _refusal(self, pattern: str, strays: list[Path], readable: list[Path]) -> ToolError:
        """Why a pattern is not opened, by the first link it finds (a protected file is not named), and what to do."""
        # the link itself is named, not what lies beyond it
        steps = (step for path in strays for step in reversed([self._root / path, *(self._root / path).parents]))
        inside = (step for step in steps if step.is_relative_to(self._root) and not why_protected(step))
        link = next((step.relative_to(self._root).as_posix() for step in inside if step.is_symlink()), None)
        what = f"what the link {shown(link)!r} leads to" if link else "files that are no data files of the workspace"
        paths = [str((self._root / path).relative_to(self._root).as_posix()) for path in readable]
        listed = _list(paths[:_NAMED])[:-1] + (", ...]" if len(paths) > _NAMED else "]")
        hint = (
            f"Write the list of files in its place: {shown(listed)}." if paths else "SHOW TABLES lists what there is."
        )
        return ToolError(f"{shown(pattern)!r} finds {what}: sql does not read that.", hint)

    def _tables(self, frames: dict[str, Any]) -> str:
        """What SHOW TABLES answers: DataFrames and data files."""
        rows = [(name, "DataFrame", *_shape(frame)) for name, frame in frames.items()]
        files = self._data_files()
        rows += [(f"'{shown(file.relative_to(self._root).as_posix())}'", "file", "", "") for file in files]
        if not rows:
            return "No DataFrames in the notebook and no data files in the workspace."
        return _markdown(["name", "kind", "rows", "columns"], rows[:_MAX_FILES], f"{len(rows):,} tables")


def _patterns(root: Path, query: str) -> list[str]:
    """The strings and quoted names of a query that could be patterns over files of the root."""
    texts = {(match[1] or match[2] or "").replace("''", "'") for match in _STRING.finditer(query)}
    return [text for text in sorted(texts) if re.search(r"[*?\[]", text) and ".." not in text and _inside(root, text)]


def _view(connection: DuckDBPyConnection, pattern: str, files: list[Path]) -> None:
    """A view named as the pattern, over these files, read as the pattern's ending says."""
    import duckdb

    kind = _FILES.search(pattern)
    if not kind or not files:
        return
    reader = _READERS[kind[1].lower()]
    name = pattern.replace('"', '""')
    with contextlib.suppress(duckdb.Error):  # a string that is no table's name here: the query tells if it is
        connection.execute(f'CREATE TEMP VIEW "{name}" AS FROM {reader}({_list(map(str, files))})')


def _run(connection: DuckDBPyConnection, query: str, limit: int, refused: dict[str, ToolError]) -> str:
    """The result as a Markdown table under a line that counts it."""
    import duckdb

    try:
        cursor = connection.execute(query if _EXPLAIN.match(query) else _as_text(query))
        names = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchmany(limit)
        total = len(rows)
        while total <= _COUNTED and (more := len(cursor.fetchmany(10_000))):
            total += more
    except duckdb.Error as error:
        name = re.search(r'Cannot access file "(.*?)" - ', str(error))
        raise refused.get(name[1] if name else "") or _tool_error(error) from None
    if _EXPLAIN.match(query):
        return "\n".join(str(row[-1]) for row in rows)[:_TEXT_CAP]
    count = f"more than {_COUNTED:,}" if total > _COUNTED else f"{total:,}"
    head = f"{count} row{'s' * (total != 1)} × {len(names)} column{'s' * (len(names) != 1)}"
    if total > len(rows):
        head += f", the first {len(rows)} shown"
    return _markdown(names, rows, head)


def _as_text(query: str) -> str:
    """The query with every column as DuckDB writes it: no value depends on which Python packages are there."""
    import duckdb

    inner = query.encode()
    for offset, kind in reversed(duckdb.tokenize(query)):  # offsets count bytes
        if kind != duckdb.token_type.comment:
            if inner[offset : offset + 1] != b";":
                break
            inner = inner[:offset]
    return f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (\n{inner.decode()}\n)"  # noqa: S608 - running given SQL is the job


def _check_statement(connection: DuckDBPyConnection, query: str) -> None:
    """Exactly one statement, and one that reads. What it may read is the locked configuration's affair."""
    body = _EXPLAIN.sub("", query, count=1)
    kinds = [statement.type.name for statement in connection.extract_statements(body)]
    if kinds in (["MULTI"], ["CREATE", "SELECT"]) and _PIVOT.match(body):
        return  # PIVOT: DuckDB makes the type it needs first
    if len(kinds) != 1:
        raise ToolError(f"sql takes one statement, not {len(kinds)}.", "Call it again for each.")
    if kinds != ["SELECT"]:
        raise ToolError(f"sql only reads: {kinds[0]} is not allowed.", "Use SELECT, WITH, SHOW, DESCRIBE or SUMMARIZE.")


def _frames(namespace: Mapping[str, object]) -> dict[str, Any]:
    """The variables that are tables: pandas and polars DataFrames, pyarrow Tables; private names left out."""
    kinds = tuple(
        kind
        for module, name in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table"))
        if isinstance(kind := getattr(sys.modules.get(module), name, None), type)
    )
    return {name: value for name, value in namespace.items() if isinstance(value, kinds) and not name.startswith("_")}


def _register(connection: DuckDBPyConnection, name: str, frame: Any) -> None:
    is_polars = type(frame).__module__.partition(".")[0] == "polars"
    try:
        connection.register(name, frame.to_arrow() if is_polars else frame)
    except Exception as error:  # noqa: BLE001 - frames of any make, with any columns
        hint = "Give its columns plain types and distinct text names."
        raise ToolError(f"{name} can't be queried ({_one_line(str(error))}).", hint) from None


def _shape(frame: Any) -> tuple[str, str]:
    rows, columns = frame.shape
    return f"{rows:,}", f"{columns:,}"


def _inside(root: Path, pattern: str) -> bool:
    """Whether a pattern's fixed beginning lies in the root."""
    fixed = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
    return (root / fixed).resolve().is_relative_to(root) if not pattern.startswith("/") or fixed else False


def _markdown(names: list[str], rows: list[tuple[Any, ...]], head: str) -> str:
    lines = [_row(names), _row(["---"] * len(names))]
    room = _TEXT_CAP - sum(map(len, lines))
    for index, row in enumerate(rows):
        line = _row(row)
        room -= len(line) + 1
        if room < 0 and index:
            head += f"; cut after {index} rows at {_TEXT_CAP:,} characters"
            break
        lines.append(line)
    return "\n".join([head, "", *lines])


def _row(values: Any) -> str:
    return "| " + " | ".join(_cell(value) for value in values) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _tool_error(error: Exception) -> ToolError:
    """DuckDB's message with its own hint on one line, without the picture of where in the query it happened."""
    text = str(error)
    if "INTERRUPT" in text:
        return ToolError("The query was interrupted.")
    if "disabled by configuration" in text or "disabled through configuration" in text:
        name = re.search(r'"([^"]+)"', text)
        what = f"{shown(name[1])!r} can't be opened" if name else "That can't be opened"
        return ToolError(f"{what}: sql reads only data files of the workspace.", "SHOW TABLES lists them.")
    lines = [line for line in text.splitlines() if line.strip() and not re.match(r"LINE \d+:|\s*\^", line)]
    return ToolError(
        _one_line(" ".join(lines)), "SHOW TABLES lists what there is." if "does not exist!" in text else ""
    )


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _ERROR else line[: _ERROR - 1] + "…"


_ERROR = 500


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(_quoted, texts)) + "]"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
