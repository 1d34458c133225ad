"""What clang refuses comes with a line that says what to change."""

import pytest

from schedcp_gym.lab.compiler import CompileError, compile_policy

pytestmark = pytest.mark.guest

HEAD = '#include <scx/common.bpf.h>\nchar _license[] SEC("license") = "GPL";\n'
ENQUEUE = "void BPF_STRUCT_OPS(t_enqueue, struct task_struct *p, u64 flags) { %s }\n"
CASES = {
    HEAD + "#include <linux/sched.h>\n": "line 3: Delete this #include",
    HEAD + "#include <stdio.h>\n": "line 3: Delete this #include",
    HEAD + '#include "mine.h"\n': "line 3: Put mine.h into the policy's folder",
    ENQUEUE % "": "line 1: Begin the source with #include <scx/common.bpf.h>",
    HEAD + ENQUEUE % "scx_bpf_dsq_insrt(p, 0, 1, flags);": "closest name is scx_bpf_dsq_insert.",
    HEAD + ENQUEUE % "p->scx.slice = SCX_SLICE_DEFAULT;": "closest name is SCX_SLICE_DFL.",
    HEAD + ENQUEUE % "u64 now = jiffies;": "jiffies is the kernel's own",
    HEAD + ENQUEUE % "scx_bpf_kick_cpu(0);": "void scx_bpf_kick_cpu(s32 cpu, u64 flags)",
    HEAD + ENQUEUE % "u64 state = p->state;": "p->__state",
    HEAD + "void e(struct task_struct *p) {}\nSCX_OPS_DEFINE(t, .enqueue = e);": "Cast each callback",
    HEAD + "SCX_OPS_DEFINE(t, .enque = 0);": "Callbacks are select_cpu, enqueue",
    HEAD + "double g(double x) { return x * 1.5; }": "no floating point",
    HEAD + "s64 g(s64 a, s64 b) { return a / b; }": "make both sides u64",
    HEAD + "u64 g(u64 n) { char a[4096]; bpf_probe_read_kernel(a, 4096, (void *)n); return a[n & 4095]; }": "512 bytes",
    HEAD + "u64 x = bpf_ktime_get_ns();": "Set it in the init callback",
    HEAD + "void g(char *a, u64 n) { memcpy(a, a + 9, n); }": "__builtin_memcpy",
    HEAD + "struct rq { int x; };": "give yours another name",
    HEAD + 'TUNABLE(u64, slice_us, 5, "us", 1, 9, log, "x");': "schedcp/tunable.bpf.h",
}


@pytest.mark.parametrize("source", CASES, ids=CASES.values())
def test_each_kind_of_error_has_its_rule(lab, source):
    with pytest.raises(CompileError) as refused:
        compile_policy(source, lab.image("debian"))
    found = [line for line in str(refused.value).splitlines() if line.startswith("hint for ")]
    assert len(found) == len(set(found))
    assert CASES[source] in found[0]
