"""Names that a policy holds, however it holds them, are given to tasks."""

import time

import pytest

from schedcp_gym.control.verifier.behaviour.names import NAMES_LIMIT, task_names
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.spec import Policy

HIDDEN = """
#include <scx/common.bpf.h>
char _license[] SEC("license") = "GPL";
#define JOIN(a, b) a #b
const char victim[] = JOIN("hid", den);
const char *victim_of(void) { return victim; }
"""


@pytest.mark.parametrize(
    "code",
    [
        'if (!bpf_strncmp(p->comm, 5, "zorro")) return;',
        "if (p->comm[0] == 'z' && p->comm[1] == 'o' && p->comm[2] == 'r' && p->comm[3]=='r' && p->comm[4] == 'o') x;",
        "static const char bad[] = {'z', 'o', 'r', 'r', 'o', 0};",
        "if (*(u64 *)p->comm == 0x6f72726f7aULL) return;",
        "if (*(u64 *)p->comm == 478661472122) return;",
    ],
    ids=["string", "characters", "array", "hexadecimal", "decimal"],
)
def test_a_name_is_found_in_the_source(code):
    assert "zorro" in task_names(Policy("x", code), None)


def test_a_name_is_found_among_the_tunables():
    assert "zorro" in task_names(Policy("x", "int y;", (("bad_name", "zorro"), ("slice_us", 5))), None)


@pytest.mark.guest
def test_a_name_is_found_in_the_object_when_the_source_hides_it(image):
    policy = Policy("x", HIDDEN)
    assert "hidden" not in task_names(policy, None)
    assert "hidden" in task_names(policy, compile_policy(HIDDEN, image))


def test_comments_are_not_searched():
    assert "zorro" not in task_names(Policy("x", '/* "zorro" */ int y; // "zorro"\n'), None)


def test_there_are_common_names_and_each_is_one_that_a_task_can_have():
    code = "".join(f'f("n{i}-that-goes-on-and-on");g("n{i}");' for i in range(300))
    names = task_names(Policy("x", code), None)
    assert len(names) == len(set(names)) <= NAMES_LIMIT
    assert {"kworker/0:1", "cc1", "nginx", "n0", "n0-that-goes-on"} <= set(names)
    assert all(1 < len(name) <= 15 and name.isascii() for name in names)


def test_a_damaged_object_holds_nothing():
    assert task_names(Policy("x", "int y;"), b"\x7fELF" + b"\xff" * 100) == task_names(Policy("x", "int y;"), None)


@pytest.mark.parametrize(
    "text",
    ['const char x[] = "' + "9" * 50_000 + '";', "int y[] = {" + "9" * 5000 + "};", "/* " * 150_000, '\\"' * 200_000],
    ids=["digits", "number", "comments", "quotes"],
)
def test_what_a_hostile_source_holds_takes_no_time(text):
    began = time.process_time()
    task_names(Policy("x", f"int y;\n#if 0\n{text}\n#endif\n"), None)
    assert time.process_time() - began < 5


def test_what_begins_a_comment_in_a_string_hides_nothing():
    assert "zorro" in task_names(Policy("x", 'char a[] = "/*", b[] = "zorro", c[] = "*/";'), None)
