"""The database: two LanceDB tables in a folder, safe with several processes at once.

Every write is one commit of Lance's, seen whole or not at all, so a writer killed half-way leaves a store that can be
read. Writers take turns under a lock that the kernel takes back from the dead; readers need none.
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

from schedcp_gym.spec import BadInput, SchedcpError

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.table import Table

    from schedcp_gym.control.repository.embedding import Embedder, Vectors

log = logging.getLogger(__name__)

#: Raised when the meaning of the tables changes.
FORMAT = 1
ENTRIES, RESULTS = "entries", "results"
LOCK_TIMEOUT_S = 60.0
#: Rows that a search reads without the index before they are put into it, and commits before fragments are merged.
UNINDEXED_ROWS = 500
FRAGMENTS = 40
#: Versions older than this are deleted when fragments are merged; no search takes so long.
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


def _entries(dimension: int) -> pa.Schema:
    return pa.schema(
        [
            ("id", pa.string()),
            ("kind", pa.string()),
            ("name", pa.string()),
            ("family", pa.string()),
            ("status", pa.string()),
            ("facets", pa.list_(pa.string())),
            ("words", pa.string()),
            ("vector", pa.list_(pa.float32(), dimension)),
            ("text", pa.string()),
            ("body", pa.string()),
        ]
    )


class Store:
    """The tables, and the lock of those who write.

    Args:
        folder: Where; made when missing.
        embedder: What the vectors of the entries are made with. Those made with another are made anew.
    """

    def __init__(self, folder: Path, embedder: "Embedder") -> None:
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
        """Holds the lock; may be nested. What is read in it stays true until it ends.

        Raises:
            SchedcpError: Another process holds it for too long, or the store can't be written.
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
        """A table, as of now."""
        if name not in self._tables:
            self._tables[name] = self._connect().open_table(name)
        else:
            known: Any = self._tables[name]
            known.checkout_latest()  # what others have written since
        return self._tables[name]

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds rows, or replaces those of the same id; all or none. Hold the lock."""
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
        """Deletes rows by id."""
        with self.writing():
            self.table(table).delete(f"id IN ({quoted(ids)})")

    def rows(
        self, table: str, where: str | None = None, columns: Sequence[str] = ("id", "body")
    ) -> list[dict[str, Any]]:
        """All rows that fit a condition, in no order."""
        at_hand = self.table(table)
        query = at_hand.search().select(list(columns))
        if where:
            query = query.where(where)
        found: list[dict[str, Any]] = query.limit(at_hand.count_rows() + 1).to_arrow().to_pylist()
        return found

    def meta(self) -> dict[str, Any]:
        """What the store was made with, and what its seeding has noted."""
        try:
            known: dict[str, Any] = json.loads((self.folder / _META).read_text())
            return known
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.folder / _META} can't be read ({error}): move the folder away") from None

    def set_meta(self, **known: Any) -> None:
        """Adds to it."""
        with self.writing():
            part = self.folder / f".{_META}.part"
            part.write_text(json.dumps({**self.meta(), **known}, indent=1))
            part.rename(self.folder / _META)

    def _connect(self) -> "DBConnection":
        if self._database is None:
            os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of what is as it should be
            import lancedb  # takes long to load

            self._database = lancedb.connect(self.folder / "lance")
        return self._database

    def _prepare(self) -> None:
        meta = self.meta()
        if meta.get("format", FORMAT) != FORMAT:
            raise BadInput(f"{self.folder} was made by another version (format {meta['format']}): move it away")
        if meta.get("embedder") == self.embedder.identity:
            return
        with self.writing():
            if self.meta().get("embedder") == self.embedder.identity:
                return  # another process was quicker
            self._make_tables(known=bool(meta))
            self.set_meta(format=FORMAT, embedder=self.embedder.identity)

    def _make_tables(self, *, known: bool) -> None:
        """Makes the tables; entries that are there already get vectors and words of the embedder at hand."""
        from schedcp_gym.control.repository.entry import words_of

        database = self._connect()
        try:
            database.open_table(RESULTS)
        except (ValueError, RuntimeError, OSError):  # not there, or its maker was killed half-way
            database.create_table(RESULTS, schema=_RESULTS, mode="overwrite")
        rows: list[dict[str, Any]] = []
        if known:
            kept = [name for name in _entries(1).names if name not in ("words", "vector")]
            rows = self.rows(ENTRIES, columns=kept)
            log.info("embedding %d entries anew with %s", len(rows), self.embedder.identity)
            for row, vector in zip(rows, self.vectors([row["text"] for row in rows]), strict=True):
                row.update(words=words_of(row["text"]), vector=vector)
        self._tables.pop(ENTRIES, None)
        schema = _entries(self.embedder.dimension)
        # Whole before it replaces what is there: a process killed here leaves the old entries, or the new ones.
        entries = database.create_table(ENTRIES, pa.Table.from_pylist(rows, schema=schema), mode="overwrite")
        self._index(entries)

    def query_vector(self, text: str) -> "Vectors":
        """A query's vector.

        Raises:
            SchedcpError: Another process has embedded the entries with another model since this one opened them.
        """
        made_with = self.meta().get("embedder")
        if made_with != self.embedder.identity:
            raise SchedcpError(
                f"the repository is embedded with {made_with} by now, not {self.embedder.identity}: "
                "set the same embedding model for all who use it, and open it again"
            )
        vector: Vectors = self.vectors([text])[0]
        return vector

    def vectors(self, texts: Sequence[str]) -> "Vectors":
        """The texts' vectors, of the dimension that the table has."""
        if not texts:
            import numpy as np

            return np.zeros((0, self.embedder.dimension), dtype=np.float32)
        return self.embedder.embed(texts)

    def _index(self, entries: "Table") -> None:
        from lancedb.index import FTS, Bitmap

        words = FTS(
            base_tokenizer="whitespace", stem=False, remove_stop_words=False, lower_case=False, ascii_folding=False
        )
        entries.create_index("words", config=words, replace=True)
        for column in ("kind", "status"):
            entries.create_index(column, config=Bitmap(), replace=True)

    def _tidy(self, name: str) -> None:
        """Merges small fragments and brings the index up to date, now and then."""
        table = self.table(name)
        stats: Any = table.stats()
        behind = 0
        if name == ENTRIES and (index := table.index_stats("words_idx")):
            behind = index.num_unindexed_rows
        if behind >= UNINDEXED_ROWS or stats["fragment_stats"]["num_small_fragments"] >= FRAGMENTS:
            table.optimize(cleanup_older_than=OLD)


def quoted(texts: Iterable[str]) -> str:
    """Texts as SQL has them, with commas between."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
