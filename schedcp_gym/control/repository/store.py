"""The database: two LanceDB tables in a folder, safe with several processes at once.

Every write is one commit of Lance, which others see completely or not at all. So a writer that is killed leaves a
store that can be read. Writers take turns under a file lock, which the kernel releases when a process dies.
Readers need no lock.
"""

import contextlib
import datetime
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import pyarrow as pa

from schedcp_gym.control.repository.entry import record_of, row_of, text_version
from schedcp_gym.spec import BadInput, SchedcpError

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.table import Table

    from schedcp_gym.control.repository.embedding import Embedder, Vectors

log = logging.getLogger(__name__)

#: Is raised when the meaning of the tables changes.
FORMAT = 1
ENTRIES, RESULTS = "entries", "results"
NO_EMBEDDER = "no model"
LOCK_TIMEOUT_S = 60.0
#: The index is brought up to date when so many rows are not in it. A search finds those rows, too, but more slowly, and
#: not by words with typing errors. Fragments are merged when there are so many.
UNINDEXED_ROWS = 20
FRAGMENTS = 40
#: Versions older than this are deleted when fragments are merged. No search takes so long.
OLD = datetime.timedelta(minutes=15)
_META = "store.json"
_RESULTS = pa.schema(
    [
        ("id", pa.string()),
        ("policy", pa.string()),
        ("workload", pa.string()),
        ("workload_class", pa.string()),
        ("machine", pa.string()),
        ("outcome", pa.string()),
        ("body", pa.string()),
    ]
)


def _entries(embedder: "Embedder | None") -> pa.Schema:
    vector = [("vector", pa.list_(pa.float32(), embedder.dimension))] if embedder else []
    return pa.schema(
        [
            ("id", pa.string()),
            ("kind", pa.string()),
            ("name", pa.string()),
            ("family", pa.string()),
            ("status", pa.string()),
            ("facets", pa.list_(pa.string())),
            ("text", pa.string()),
            ("body", pa.string()),
            *vector,
        ]
    )


class Store:
    """The tables, and the lock of those who write.

    Args:
        folder: The folder; made when missing.
        embedder: Makes the vectors of the entries; None for a store without vectors. Entries of another embedder get
            new vectors.
    """

    def __init__(self, folder: Path, embedder: "Embedder | None" = None) -> None:
        self.folder = folder
        self.embedder = embedder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"the repository's folder {folder} can't be made: {error.strerror}") from None
        self._lock = filelock.FileLock(folder / "writers.lock", timeout=LOCK_TIMEOUT_S)
        self._database: DBConnection | None = None
        self._tables: dict[str, Table] = {}
        self._prepare()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writers' lock; may be nested. What is read inside stays true until it is released.

        Raises:
            BadInput: The store can't be written.
            SchedcpError: Another process holds the lock for too long.
        """
        try:
            with self._lock:
                yield
        except filelock.Timeout:
            raise SchedcpError(
                f"another process has been writing to {self.folder} for {LOCK_TIMEOUT_S:.0f} s: end it, or wait"
            ) from None
        except PermissionError as error:
            raise BadInput(f"the repository {self.folder} can't be written: {error.strerror}") from None

    def table(self, name: str) -> "Table":
        """Return a table in its newest version."""
        if name not in self._tables:
            self._tables[name] = self._connect().open_table(name)
        else:
            known: Any = self._tables[name]
            known.checkout_latest()  # what others have written since
        return self._tables[name]

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, or replace those of the same id; all of them or none."""
        if not rows:
            return
        with self.writing():
            at_hand = self.table(table)
            unique = list({row["id"]: dict(row) for row in rows}.values())
            data = pa.Table.from_pylist(unique, schema=at_hand.schema)
            merge = at_hand.merge_insert("id")
            merge.when_matched_update_all().when_not_matched_insert_all().execute(data)
            self._tidy(table)

    def delete(self, table: str, ids: Iterable[str]) -> None:
        """Delete rows by id."""
        with self.writing():
            self.table(table).delete(f"id IN ({quoted(ids)})")

    def rows(
        self, table: str, where: str | None = None, columns: Sequence[str] = ("id", "body")
    ) -> list[dict[str, Any]]:
        """Return all rows that fit a condition, in no particular order."""
        at_hand = self.table(table)
        query = at_hand.search().select(list(columns))
        if where:
            query = query.where(where)
        found: list[dict[str, Any]] = query.limit(at_hand.count_rows() + 1).to_arrow().to_pylist()
        return found

    def meta(self) -> dict[str, Any]:
        """Return the store's notes: format, embedder, and which files of the library are in it."""
        try:
            known: dict[str, Any] = json.loads((self.folder / _META).read_text())
            return known
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.folder / _META} can't be read ({error}): move the folder away") from None

    def set_meta(self, **known: Any) -> None:
        """Add to the notes."""
        with self.writing():
            part = self.folder / f".{_META}.part"
            part.write_text(json.dumps({**self.meta(), **known}, indent=1))
            part.rename(self.folder / _META)

    def _connect(self) -> "DBConnection":
        if self._database is None:
            os.environ.setdefault("LANCEDB_LOG", "error")  # its warnings are about normal conditions
            import lancedb  # takes long to load

            self._database = lancedb.connect(self.folder / "lance")
        return self._database

    def _prepare(self) -> None:
        meta = self.meta()
        if meta.get("format", FORMAT) != FORMAT:
            raise BadInput(f"{self.folder} was made by another version (format {meta['format']}): move it away")
        if self._is_current(meta):
            return
        with self.writing():
            if self._is_current(meta := self.meta()):
                return  # another process was faster
            self._make_tables(known=bool(meta))
            self.set_meta(format=FORMAT, embedder=self._identity, text=text_version())

    @property
    def _identity(self) -> str:
        return self.embedder.identity if self.embedder else NO_EMBEDDER

    def _is_current(self, meta: Mapping[str, Any]) -> bool:
        return bool(meta.get("embedder") == self._identity and meta.get("text") == text_version())

    def _make_tables(self, *, known: bool) -> None:
        """Make the tables. Entries that are there already get new texts and vectors."""
        database = self._connect()
        try:
            database.open_table(RESULTS)
        except (ValueError, RuntimeError, OSError):  # not there, or its maker was killed
            database.create_table(RESULTS, schema=_RESULTS, mode="overwrite")
        rows: list[dict[str, Any]] = []
        if known:
            old = self.rows(ENTRIES, columns=("family", "facets", "body"))
            log.info("making the search index of %d entries again", len(old))
            rows = self.with_vectors([row_of(record_of(row["body"]), row["family"], row["facets"]) for row in old])
        self._tables.pop(ENTRIES, None)
        data = pa.Table.from_pylist(rows, schema=_entries(self.embedder))
        # One commit: a process that is killed here leaves the old entries or the new ones.
        entries = database.create_table(ENTRIES, data, mode="overwrite")
        self._index(entries)

    def check_embedder(self) -> None:
        """Check that the entries' vectors are those of this store's embedder.

        Raises:
            SchedcpError: Another process has opened the store with another embedder in the meantime.
        """
        made_with = self.meta().get("embedder")
        if made_with != self._identity:
            raise SchedcpError(
                f"the repository is embedded with {made_with} by now, not {self._identity}: "
                "set the same embedding model for all who use it, and open it again"
            )

    def query_vector(self, text: str) -> "Vectors | None":
        """Return a query's vector; None without an embedder.

        Raises:
            SchedcpError: See :meth:`check_embedder`.
        """
        self.check_embedder()
        return self.embedder.embed([text])[0] if self.embedder else None

    def with_vectors(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return rows of entries with the vectors of their texts; the rows themselves without an embedder."""
        if not self.embedder or not rows:
            return rows
        vectors = self.embedder.embed([row["text"] for row in rows])
        return [{**row, "vector": vector} for row, vector in zip(rows, vectors, strict=True)]

    def _index(self, entries: "Table") -> None:
        from lancedb.index import FTS, Bitmap

        entries.create_index("text", config=FTS(), replace=True)  # English: words are stemmed, small ones left out
        for column in ("kind", "status"):
            entries.create_index(column, config=Bitmap(), replace=True)

    def _tidy(self, name: str) -> None:
        """Merge small fragments and bring the index up to date if that is due."""
        table = self.table(name)
        stats: Any = table.stats()
        behind = 0
        if name == ENTRIES and (index := table.index_stats("text_idx")):
            behind = index.num_unindexed_rows
        if behind >= UNINDEXED_ROWS or stats["fragment_stats"]["num_small_fragments"] >= FRAGMENTS:
            table.optimize(cleanup_older_than=OLD)


def quoted(texts: Iterable[str]) -> str:
    """Return texts as SQL literals, separated by commas."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
