"""A run in an entry, as it is read."""

from schedcp_gym.leaderboard.claim import read_source
from schedcp_gym.run.record import write_whole
from schedcp_gym.spec import source_sha256


def test_a_source_with_windows_line_ends_is_the_one_that_was_measured(tmp_path):
    source = "int a;\r\nint b;\r"  # as a model may write it
    write_whole(tmp_path / "a.bpf.c", source)
    assert source_sha256(read_source(tmp_path / "a.bpf.c")) == source_sha256(source)
