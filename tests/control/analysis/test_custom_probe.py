import pytest

from schedcp_gym.control.analysis import custom
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import BadInput, Trial

REFUSED = """bpf: Failed to load program: Permission denied
0: R1=ctx() R10=fp0
; return x->y; @ probe.c:4
3: (79) r0 = *(u64 *)(r1 +0)
R1 invalid mem access 'map_value_or_null'
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0

"""


@pytest.fixture(scope="module")
def trial():
    return Trial(catalogue.load_policy("eevdf"), catalogue.load_workload("schbench"))


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("int x\0;", "not a text"),
        ("x" * 20_000, "16384 are allowed"),
        ("\udcff", "UTF-8"),
    ],
)
def test_what_is_no_source_is_refused_before_anything_is_started(trial, source, why):
    with pytest.raises(BadInput, match=why):
        custom.probe(None, trial, source)


def test_the_compilers_first_error_is_told_with_its_line():
    words = "probe.c:9:2: warning: odd\nprobe.c:12:5: error: use of undeclared identifier 'x'\nprobe.c:13:1: error: y\n"
    assert custom.why(words, "Failed to compile BPF module <text>") == (
        "the probe does not compile: line 12: use of undeclared identifier 'x'"
    )
    missing = "probe.c:1:10: fatal error: 'linux/nothing.h' file not found\n"
    assert "line 1: 'linux/nothing.h' file not found" in custom.why(missing, "Failed")


def test_the_line_is_that_of_the_source_not_of_what_bcc_made_of_it():
    words = "probe.c:9:54: error: undeclared 'nope'\n    9 | { u32 x = nope; return 0; }\n      |           ^\n"
    source = "BPF_HASH(a, u32, u64);\nTRACEPOINT_PROBE(sched, sched_wakeup)\n{ u32 x = nope; return 0; }\n"
    assert "line 3: undeclared" in custom.why(words, "Failed", source)


def test_the_kernels_reason_is_told_in_two_lines():
    told = custom.why(REFUSED, "Failed to load BPF program b'f': Permission denied")
    assert len(told.splitlines()) == 2
    assert "invalid mem access" in told


def test_a_point_that_is_not_there_is_told():
    assert "kprobe__nothing" in custom.why("", "Failed to attach BPF program b'kprobe__nothing' to kprobe b'nothing'")


def test_a_structures_slots_are_a_histogram_by_its_other_fields():
    rows = [[{"name": "a", "slot": 3}, 5], [{"name": "a", "slot": 4}, 1], [{"name": "b", "slot": 1}, 2]]
    table = custom._table("delays", {"kind": "hash", "rows": rows, "left": 0}, "BPF_HISTOGRAM(delays, struct key);")
    assert table["by"]["a"]["buckets"] == [[4, 8, 5], [8, 16, 1]]
    assert table["by"]["b"]["count"] == 2


def test_what_a_guest_says_can_not_control_a_terminal():
    table = custom._table("t", {"kind": "hash", "rows": [["\x1b[2Jx", 1]], "left": 0}, "")
    assert "\x1b" not in custom._text({"t": table}, {"lines": [], "written": 0}, "")


GOOD = """
struct key { char name[16]; u64 slot; };
BPF_HISTOGRAM(stretch, struct key);
BPF_HASH(since, u32, u64);
BPF_PERCPU_ARRAY(switches, u64, 1);
TRACEPOINT_PROBE(sched, sched_switch)
{
	u32 pid = args->prev_pid, then = args->next_pid;
	u64 now = bpf_ktime_get_ns(), *began = since.lookup(&pid);
	struct key key = {};

	if (began && IN_WORKLOAD()) {
		bpf_get_current_comm(key.name, sizeof(key.name));
		key.slot = bpf_log2l((now - *began) / 1000);
		stretch.increment(key);
		bpf_trace_printk("%d\\n", pid);
	}
	since.update(&then, &now);
	switches.increment(0);
	return 0;
}
"""


@pytest.mark.guest
def test_a_probe_of_ones_own_prints_without_end_and_gives_its_tables(image, trial):
    found = custom.probe(Lab(workers=1), trial, GOOD)
    assert found.data["run"]["outcome"] == "ok"
    assert found.data["tables"]["stretch"]["by"]["schbench-worker"]["count"] > 1600
    assert "swapper/0" not in found.data["tables"]["stretch"]["by"]
    assert found.data["tables"]["switches"]["rows"][0][1] > 1600
    assert "lines shown" in found.text
    assert "the rest is cut" in found.text
    assert found.tokens < 3000


@pytest.mark.guest
@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("TRACEPOINT_PROBE(sched, sched_wakeup)\n{ return nope; }", "does not compile: line 2: .*'nope'"),
        (
            "RAW_TRACEPOINT_PROBE(sched_switch)\n{ volatile int i = 0; while (1) i += 2; return i; }",
            "refuses the probe",
        ),
    ],
)
def test_bad_probes_are_refused_in_two_lines(image, trial, source, why):
    with pytest.raises(BadInput, match=why) as refused:
        custom.probe(Lab(workers=1), trial, source)
    assert len(str(refused.value).splitlines()) <= 2
