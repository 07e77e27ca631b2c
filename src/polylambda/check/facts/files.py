"""The standard library: files, and who writes them."""

from __future__ import annotations

from polylambda.check.facts.fact import (
    RECEIVER,
    THREAD,
    Theme,
    below,
    blocks,
    known,
    makes_client,
    unshareable,
    writes_path,
)

_IN_THREAD = "await asyncio.to_thread({name}, ...)"
_OPEN = "anyio.open_file(), or await asyncio.to_thread(...) for all that is done with the file"
_OWN = "a connection for every invocation, or aiosqlite; in threads one each"

_OPENS = "io.open codecs.open tokenize.open gzip.open bz2.open lzma.open"
_PATH_WRITES = "write_text write_bytes touch mkdir unlink rmdir rename replace symlink_to hardlink_to chmod"
_FIRST = "file filename path name"
_LOG_HANDLERS = """logging.FileHandler logging.handlers.RotatingFileHandler logging.handlers.TimedRotatingFileHandler
logging.handlers.WatchedFileHandler"""

THEME = Theme(
    facts=known(
        (blocks(_OPEN, "ASYNC230"), "builtins.open io.open codecs.open"),
        (blocks(_OPEN, "ASYNC240"), below("pathlib.Path", "open read_text read_bytes write_text write_bytes")),
        (blocks(_OPEN), "gzip.open bz2.open lzma.open tarfile.open"),
        (
            blocks(_IN_THREAD),
            below("shutil", "copy copy2 copyfile copytree copyfileobj move rmtree make_archive unpack_archive"),
        ),
        (blocks("aiosqlite"), "sqlite3.connect"),
        (blocks("aiosqlite"), below("sqlite3.Connection", "execute executemany executescript commit rollback backup")),
        (
            blocks("aiosqlite"),
            below("sqlite3.Cursor", "execute executemany executescript fetchone fetchmany fetchall"),
        ),
        (
            unshareable(
                "one {name} for all invocations: they are in one transaction, and threads may not share it", _OWN
            ),
            "sqlite3.Connection",
        ),
        (
            unshareable(
                "one {name} for all invocations: one's query takes the other's rows", "a cursor for every query"
            ),
            "sqlite3.Cursor",
        ),
        (blocks(_IN_THREAD), "shelve.open dbm.open"),
        (
            unshareable(
                "one shelf for all threads: it is not thread-safe", "a database, or a lock around every use", THREAD
            ),
            "shelve.open dbm.open",
        ),
        (writes_path(0, *_FIRST.split(), mode=(1, "mode")), ["builtins.open", *_OPENS.split()]),
        (writes_path(RECEIVER, mode=(0, "mode")), "pathlib.Path.open"),
        (writes_path(RECEIVER), below("pathlib.Path", _PATH_WRITES)),
        (writes_path(0, "file", mode=(1, "mode")), "zipfile.ZipFile"),
        (writes_path(0, "name", mode=(1, "mode")), "tarfile.open"),
        (writes_path(0, "path"), ["zipfile.ZipFile.extractall", "tarfile.TarFile.extractall"]),
        (writes_path(1, "path"), ["zipfile.ZipFile.extract", "tarfile.TarFile.extract"]),
        (
            writes_path(0, "path", "name", "src"),
            below("os", "remove unlink rmdir removedirs mkdir makedirs mkfifo mknod truncate chmod chown"),
        ),
        (writes_path(0, 1, "src", "dst", "old", "new"), below("os", "rename renames replace")),
        (writes_path(1, "dst"), below("os", "link symlink")),
        (writes_path(1, "dst"), below("shutil", "copy copy2 copyfile copytree move")),
        (writes_path(0, "path"), below("shutil", "rmtree chown")),
        (writes_path(0, "base_name"), "shutil.make_archive"),
        (writes_path(1, "extract_dir"), "shutil.unpack_archive"),
        (writes_path(1, "filename"), "urllib.request.urlretrieve"),
        (
            writes_path(
                0,
                "database",
                instead="a database of its own in context.tmp_dir, or ':memory:'; what is shared belongs into a server",
                message="{name}() of a file that every invocation opens",
            ),
            "sqlite3.connect",
        ),
        (writes_path(0, "filename", "file"), "shelve.open dbm.open"),
        (
            writes_path(
                0,
                "filename",
                instead="log to standard output, which Lambda collects",
                message="{name}() on a file that every invocation writes",
            ),
            _LOG_HANDLERS,
        ),
        (writes_path(0, "fname", "file"), below("numpy", "save savez savez_compressed savetxt")),
        (
            writes_path(0, "path_or_buf", "path", "excel_writer"),
            below("pandas.DataFrame", "to_csv to_parquet to_excel to_json to_pickle to_feather"),
        ),
        (writes_path(1, "f", "filename"), "torch.save joblib.dump"),
        (makes_client("one context, made at import"), "ssl.create_default_context"),
    ),
    gives={
        "pathlib.Path": "pathlib.Path",
        **{f"pathlib.Path.{name}": "pathlib.Path" for name in ("cwd", "home", "resolve", "absolute", "joinpath")},
        **{
            f"pathlib.Path.{name}": "pathlib.Path"
            for name in ("with_name", "with_suffix", "with_stem", "expanduser", "__truediv__", "rename", "replace")
        },
        "sqlite3.connect": "sqlite3.Connection",
        "sqlite3.Connection": "sqlite3.Connection",
        "sqlite3.Connection.cursor": "sqlite3.Cursor",
        "sqlite3.Connection.execute": "sqlite3.Cursor",
        "sqlite3.Connection.executemany": "sqlite3.Cursor",
        "sqlite3.Cursor.execute": "sqlite3.Cursor",
    },
    aliases={
        "pathlib.PosixPath": "pathlib.Path",
        "sqlite3.dbapi2": "sqlite3",
        "_io.open": "io.open",
    },
)
