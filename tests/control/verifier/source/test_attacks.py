"""Hostile source: refused in bounded time and memory, in words that carry nothing of the host; the host stays whole."""

import re
import time
from pathlib import Path

import pytest

from schedcp_gym.control.verifier.source import check_source
from schedcp_gym.lab.compiler import SOURCE_LIMIT
from schedcp_gym.spec import Policy

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("spotless")]  # boots nothing, but needs the image's headers

ATTACKS = sorted((Path(__file__).parent.parent / "attacks").glob("*.bpf.c"))
SECRET = "hunter2_is_the_password"
#: The jails' own limit, with something to spare; that of CPU time and memory holds too, tests/lab/test_jail.py shows.
WALL_LIMIT_S = 60.0
HEAD = "#include <scx/common.bpf.h>\n"
GENERATED = {
    "nul": ("int x;\nint y\0;\n", 2, "NUL"),
    "surrogate": ("int x;\n\n/* \udcff */\n", 3, "UTF-8"),
    "binary": ("\x7fELF\2\1\1\0\0\0", 1, "NUL"),
    "huge": ("/*" + "x" * SOURCE_LIMIT + "*/", None, "1048576 are allowed"),
    "deep brackets": ("int x = " + "(" * 50_000, 1, "nesting"),
    "deep expression": (HEAD + "int f(int x) { return " + "x + " * 100_000 + "1; }\n", None, "crashed"),
    "deep statements": (HEAD + "int f(int x) { " + "if (x) " * 20_000 + "return 1; return 0; }\n", None, ""),
    "deep initialisers": (HEAD + "int x[] = " + "{" * 5_000 + "}" * 5_000 + ";\n", None, ""),
    "many errors": ("#error no\n" * 10_000, 1, "no"),
    "many messages": (HEAD + "".join(f"int a{i} = b{i};\n" for i in range(20_000)), 2, "undeclared"),
    "many functions": (HEAD + "".join(f"int f{i}(int x) {{ return x; }}\n" for i in range(20_000)), None, ""),
    "call tree": (
        HEAD
        + "static int f0(int x) { return x; }\n".join(
            f"static int f{i + 1}(int x) {{ return f{i}(x) + f{i}(x + 1) + f{i}(x + 2); }}\n" for i in range(200)
        )
        + 'SEC("syscall") int top(int *x) { return f200(*x); }\n',
        None,
        "",
    ),
    "values without end": (
        HEAD
        + "void f(u64 x)\n{\n\tu64 a0 = 1;\n".join(f"\tu64 a{i + 1} = x ? a{i} + 1 : a{i} + 2;\n" for i in range(100))
        + "\tscx_bpf_create_dsq(a100, -1);\n}\n"
        'SEC("struct_ops/g") void g(u64 *ctx) { f(*ctx); }\n',
        None,
        "",
    ),
    "unfinished": ('#include <scx/common.bpf.h>\n/* never ends "', 2, "unterminated"),
    "unfinished directive": ("#\n#include\n#pragma\n_Pragma(\nasm(\n__has_include", 4, "_Pragma"),
    "nothing": (" ", None, "no table of callbacks"),
    "attribute": (HEAD + 'int x __attribute__((section("/etc/cron.d/x,\\"aw\\""))) = 1;\n', None, ""),
}


@pytest.fixture(autouse=True)
def _own_cache(image, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def secret(tmp_path):
    """A file that everybody on this host may read."""
    path = tmp_path / "secret"
    path.write_text(f'"{SECRET}"')
    path.chmod(0o644)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return path


def check(source, image):
    """The report; asserts what holds for all of them."""
    began = time.monotonic()
    report, compiled = check_source(Policy("attack", source), image)
    assert time.monotonic() - began < WALL_LIMIT_S
    assert not report.passed
    assert not report.infra_fault
    assert report.findings
    assert all(finding.why and finding.fix and len(finding.why) < 1000 for finding in report.findings)
    assert len(report.summary) < 1500
    assert len(report.log) < 300_000
    for text in (report.log, report.evidence, report.summary, repr(report.findings), repr(compiled)):
        assert SECRET not in text
        assert str(image.folder) not in text
        assert "root:" not in text.replace("root:$6$", "")
    return report


@pytest.mark.parametrize("path", ATTACKS, ids=lambda path: path.name.removesuffix(".bpf.c"))
def test_an_attack_is_refused_with_line_and_reason(image, secret, path):
    source = path.read_text().replace("@SECRET@", str(secret))
    line, words = re.search(r"refused: line (\d+), (.*) \*/", source).groups()
    report = check(source, image)
    assert any((finding.line or 0) == int(line) and words in finding.why for finding in report.findings), report.log


@pytest.mark.parametrize("name", GENERATED)
def test_a_giant_or_broken_source_is_refused(image, name):
    source, line, words = GENERATED[name]
    report = check(source, image)
    assert any(finding.line == line and words in finding.why for finding in report.findings) or not words, report.log


def test_there_are_enough_attacks():
    assert len(ATTACKS) + len(GENERATED) >= 40


def test_a_source_may_name_what_it_likes_in_a_branch_that_is_not_taken(image):
    source = (
        '#ifdef LSP\n#define __bpf__\n#include "../scx_test.h"\n#else\n#include <scx/common.bpf.h>\n#endif\nint x;\n'
    )
    report, compiled = check_source(Policy("lsp", source), image)
    assert compiled
    assert {finding.rule for finding in report.findings} == {"one-ops-table", "license-missing"}
