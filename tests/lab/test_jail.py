"""The jail: nothing of the host is in it, nothing comes out but words, and every limit holds."""

import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from conftest import descendants, wait_until

from schedcp_gym.lab import jail
from schedcp_gym.lab.jail import Contents, JailKilled, Limits
from schedcp_gym.spec import MissingTool

pytestmark = pytest.mark.usefixtures("spotless")

PYTHON = Path(sys._base_executable).resolve()
CONTENTS = Contents((PYTHON,), (Path(sysconfig.get_path("stdlib")),))


def run(code, **more):
    """Runs Python in the jail."""
    return jail.run([str(PYTHON), "-I", "-S", "-B", "code.py"], CONTENTS, files={"code.py": code.encode()}, **more)


def answer(code, **more):
    """What the code prints."""
    ended = run(code, **more)
    assert ended.status == 0, ended.words
    return ended.output.decode().strip()


@pytest.fixture(params=["root", "user"])
def _who(request, monkeypatch):
    """As root, and as it is done for an ordinary user: in a user namespace."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("not root")
    if request.param == "user":
        monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.usefixtures("_who")
class TestNothingOfTheHost:
    def test_the_file_system_holds_the_program_and_what_it_was_given(self, tmp_path):
        given = tmp_path / "given"
        given.mkdir(mode=0o755)
        (given / "header.h").write_text("x")
        shown = answer(
            "import os\nprint(sorted(os.listdir('.')), open('given/header.h').read(), sorted(os.listdir('/')))",
            folders={"given": given},
        )
        below = {Path(path).parts[1] for path in (*CONTENTS.folders, "/lib64", "/usr", "/build", PYTHON, "/lib")}
        names = shown.partition("x ")[2]
        assert shown.startswith("['code.py', 'given'] x ")
        assert set(eval(names)) <= below
        assert not {"etc", "proc", "dev", "tmp", "var", "sys"} & set(eval(names))

    @pytest.mark.parametrize(
        "path",
        ["/etc/passwd", "/proc/self/environ", "/dev/zero", "/dev/stdin", "/usr/include/stdio.h", "/work", "/tmp"],
    )
    def test_files_of_the_host_are_not_there(self, path):
        code = f"import os\nprint(os.path.lexists({path!r}), os.path.lexists('/build/../{path}'))"
        assert answer(code) == "False False"

    def test_nothing_can_be_written(self):
        code = (
            "import os\nfor place in ('.', '/', '/build', '/usr'):\n"
            "  try: open(place + '/x', 'w'); print('written')\n  except OSError as error: print(error.errno)"
        )
        assert set(answer(code).split()) <= {"30", "13"}

    def test_no_rights_no_environment_no_other_process_no_network(self):
        code = (
            "import os, socket\n"
            "print(os.getuid(), os.getgid(), os.getppid() < 10)\n"
            "print(sorted(set(os.environ) - {'LD_LIBRARY_PATH', 'PWD', 'LC_CTYPE'}))\n"
            "try: os.setuid(0); print('root')\n"
            "except OSError: print('nobody')\n"
            "try: os.kill(1, 9); print('killed')\n"
            "except OSError: print('safe')\n"
            "try: socket.create_connection(('127.0.0.1', 22)); print('connected')\n"
            "except OSError as error: print(error.errno)\n"
        )
        words = answer(code).split()
        assert words[:4] == ["65534", "65534", "True", "[]"]
        assert words[4] == "nobody"
        assert words[6] in ("101", "111", "99")  # there is not even a loopback that answers

    def test_it_can_not_start_another(self):
        if os.getuid() == 0 and os.geteuid() != 0:
            pytest.skip("in a user namespace of the real root, the limit of processes does not hold")
        code = "import os\ntry: os.fork(); print('forked')\nexcept OSError as error: print(error.errno)"
        assert answer(code) == "11"

    def test_no_file_of_ours_is_open_in_it(self):
        code = (
            "import os\nfound = []\nfor n in range(256):\n"
            "  try: os.fstat(n); found.append(n)\n  except OSError: pass\nprint(found)"
        )
        with Path("/etc/passwd").open() as _open:
            assert answer(code) == "[0, 1, 2]"


class TestLimits:
    def test_cpu_time(self):
        ended = run("while True: pass", limits=Limits(cpu_s=1))
        assert ended.exceeded == "it used more than 1 s of CPU time"
        assert ended.crashed

    def test_wall_time(self):
        began = time.monotonic()
        ended = run("import time\ntime.sleep(60)", limits=Limits(wall_s=0.5))
        assert ended.exceeded == "it took longer than 0.5 s"
        assert time.monotonic() - began < 20

    def test_memory(self):
        ended = run("x = b'x' * (600 << 20)", limits=Limits(memory_bytes=500 << 20))
        assert ended.exceeded == "it needed more than 500 MiB of memory"

    @pytest.mark.parametrize("stream", ["stdout", "stderr"])
    def test_output(self, stream):
        code = f"import sys\nwhile True: sys.{stream}.write('x' * 65536)"
        ended = run(code, limits=Limits(output_bytes=1 << 20, words_bytes=1 << 20))
        assert ended.exceeded == "it wrote more than 1048576 bytes"
        assert max(len(ended.output), len(ended.words)) <= 1 << 20

    def test_closed_pipes_do_not_end_the_watch(self):
        ended = run("import os, time\nos.close(1); os.close(2)\ntime.sleep(60)", limits=Limits(wall_s=0.5))
        assert ended.exceeded == "it took longer than 0.5 s"


def test_a_crash_is_an_ending(tmp_path):
    ended = run("import os\nos.abort()")
    assert ended.crashed
    assert not ended.exceeded


def test_nothing_is_left_when_the_caller_dies(tmp_path):
    here = str(Path(__file__).parent)
    code = f"import sys\nsys.path.insert(0, {here!r})\nfrom test_jail import run\nrun('import time\\ntime.sleep(300)')"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True) as caller:
        try:
            inside = wait_until(
                lambda: {p: n for p, n in descendants(caller.pid).items() if n.startswith("python")}, 30
            )
        finally:
            caller.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside), 30)


def test_a_missing_bubblewrap_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(jail.shutil, "which", lambda name: None)
    with pytest.raises(MissingTool, match="apt-get install bubblewrap"):
        run("")


def test_a_host_without_namespaces_is_told_what_to_do(monkeypatch, tmp_path):
    refuses = tmp_path / "bwrap"
    refuses.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    refuses.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(MissingTool, match=r"uid map.*apparmor_restrict_unprivileged_userns=0"):
        run("")


def test_a_kill_from_outside_is_no_verdict(monkeypatch, tmp_path):
    dies = tmp_path / "bwrap"
    dies.write_text("#!/bin/sh\nkill -9 $$\n")
    dies.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(JailKilled, match="signal 9"):
        run("")
