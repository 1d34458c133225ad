"""Policies are read from files and folders, and nothing outside of the folder is."""

import pytest

from schedcp_gym.lab import catalogue
from schedcp_gym.spec import BadInput

SOURCE = '#include <scx/common.bpf.h>\n#include "intf.h"\n'


def test_a_file_brings_the_headers_beside_it(tmp_path):
    (tmp_path / "mine.bpf.c").write_text(SOURCE)
    (tmp_path / "intf.h").write_text("enum { SHARED };\n")
    policy = catalogue.load_policy(str(tmp_path / "mine.bpf.c"))
    assert policy.name == "mine"
    assert "enum { SHARED };" in policy.source


def test_a_folder_is_a_policy_under_its_own_name(tmp_path):
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "main.bpf.c").write_text(SOURCE)
    (folder / "intf.h").write_text("enum { SHARED };\n")
    policy = catalogue.load_policy(str(folder))
    assert policy.name == "ours"
    assert "enum { SHARED };" in policy.source


def test_files_outside_of_the_folder_are_left_alone(tmp_path):
    (tmp_path / "secret.h").write_text("int secret;\n")
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "link.h").symlink_to(tmp_path / "secret.h")
    (folder / "main.bpf.c").write_text('#include "../secret.h"\n#include "link.h"\n')
    assert "int secret" not in catalogue.load_policy(str(folder)).source


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "empty"), (b"\xff\xfe\x00", "not a text file"), (b'#include "main.bpf.c"\n', "include each other")],
)
def test_a_folder_that_is_no_policy_is_refused_with_the_reason(tmp_path, content, why):
    (tmp_path / "main.bpf.c").write_bytes(content)
    with pytest.raises(BadInput, match=why):
        catalogue.load_policy(str(tmp_path))
