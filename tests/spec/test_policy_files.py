"""Policies of several files become one text, and what is not the policy's stays out."""

import pytest

from schedcp_gym.spec import BadInput
from schedcp_gym.spec.policy_files import MOST_CHARACTERS, MOST_FILES, join_files, main_file

MAIN = '#include <scx/common.bpf.h>\n#include "intf.h"\n\nint last;\n'


def test_local_headers_take_the_place_of_their_includes_and_ours_stay():
    joined = join_files({"main.bpf.c": MAIN, "intf.h": "int one;\n", "unused.h": "int two;\n"}, "main.bpf.c")
    assert "#include <scx/common.bpf.h>" in joined
    assert 'intf.h"' not in joined
    assert joined.index("int one;") < joined.index("int last;")
    assert "two" not in joined


def test_an_include_is_looked_for_beside_its_file_and_then_in_the_folder():
    files = {
        "main.bpf.c": '#include "sub/a.h"\n#include <sub/c.h>\n',
        "sub/a.h": '#include "b.h"\n#include "top.h"\n',
        "sub/b.h": "int beside;\n",
        "b.h": "int wrong;\n",
        "top.h": "int top;\n",
        "sub/c.h": "int angled;\n",
    }
    joined = join_files(files, "main.bpf.c")
    assert [name for name in ("beside", "top", "angled", "wrong") if name in joined] == ["beside", "top", "angled"]


@pytest.mark.parametrize(("once", "times"), [("", 2), ("#pragma once\n", 1)])
def test_a_header_with_pragma_once_comes_once(once, times):
    joined = join_files({"a.bpf.c": '#include "x.h"\n#include "x.h"\n', "x.h": f"{once}int x;\n"}, "a.bpf.c")
    assert joined.count("int x;") == times
    assert "pragma once" not in joined


def test_an_include_in_a_comment_or_a_string_does_not_count():
    source = '/*\n#include "x.h"\n*/\n// #include "x.h"\nchar s[] = "\\\n#include";\n'
    assert join_files({"a.bpf.c": source, "x.h": "int x;\n"}, "a.bpf.c") == source


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a.bpf.c": '#include "a.bpf.c"\n'}, "include each other"),
        ({"a.bpf.c": '#include "b.h"\n', "b.h": '#include "c.h"\n', "c.h": '#include "b.h"\n'}, "include each other"),
        ({"a.bpf.c": "", "../b.h": ""}, "no path within"),
        ({"a.bpf.c": "", "/etc/passwd": ""}, "no path within"),
        ({"b.h": ""}, "no file 'a.bpf.c'"),
        ({"a.bpf.c": "x" * (MOST_CHARACTERS + 1)}, "characters"),
        ({"a.bpf.c": '#include "b.h"\n' * 500, "b.h": "x" * 10_000}, "characters"),
        ({"a.bpf.c": "", **{f"{n}.h": "" for n in range(MOST_FILES)}}, "files"),
        ({"a.bpf.c": '#include "0.h"\n', **{f"{n}.h": f'#include "{n + 1}.h"\n' for n in range(40)}}, "levels"),
    ],
)
def test_what_can_not_be_joined_is_refused_with_the_reason(files, why):
    with pytest.raises(BadInput, match=why):
        join_files(files, "a.bpf.c")


@pytest.mark.parametrize(
    ("names", "found"),
    [({"x.bpf.c", "x.h"}, "x.bpf.c"), ({"a.bpf.c", "main.bpf.c"}, "main.bpf.c"), ({"sub/a.bpf.c"}, "sub/a.bpf.c")],
)
def test_the_main_file_is_the_only_one_or_main(names, found):
    assert main_file(names) == found


@pytest.mark.parametrize(("names", "why"), [({"x.h"}, "no .bpf.c file"), ({"a.bpf.c", "b.bpf.c"}, "several")])
def test_without_a_main_file_the_error_says_what_to_do(names, why):
    with pytest.raises(BadInput, match=why):
        main_file(names)
