"""Policies as they are written elsewhere compile and load without a change."""

import pytest

from schedcp_gym.lab.brought import brought_names, our_names
from schedcp_gym.lab.compiler import compile_policy

pytestmark = pytest.mark.guest

HEAD = '#include <scx/common.bpf.h>\nchar _license[] SEC("license") = "GPL";\n'
#: A policy of one queue, in which BODY may stand.
OPS = """
s32 BPF_STRUCT_OPS_SLEEPABLE(t_init) { return scx_bpf_create_dsq(0, -1); }
void BPF_STRUCT_OPS(t_enqueue, struct task_struct *p, u64 enq_flags) { %s }
void BPF_STRUCT_OPS(t_dispatch, s32 cpu, struct task_struct *prev) { scx_bpf_dsq_move_to_local(0, 0); }
SCX_OPS_DEFINE(t_ops, .init = (void *)t_init, .enqueue = (void *)t_enqueue, .dispatch = (void *)t_dispatch,
    .name = "t");
"""
INSERT = "scx_bpf_dsq_insert(p, 0, SCX_SLICE_DFL, enq_flags);"
#: What code in the wild brings, and a use of it.
KINDS = {
    "function of 6.12": (
        "static inline bool vtime_before(u64 a, u64 b)\n{\n\treturn (s64)(a - b) < 0;\n}\n",
        f"if (vtime_before(p->scx.dsq_vtime, 5)) {INSERT} else {INSERT}",
    ),
    "function of later": (
        "static bool time_before(u64 a, u64 b) { return (s64)(a - b) < 0; }\n",
        f"if (time_before(1, 2)) {INSERT}",
    ),
    "max and min": (
        (
            "static inline u64 max(u64 a, u64 b) { return a > b ? a : b; }\n"
            "static u64 min(u64 a, u64 b) { return a < b ? a : b; }\n"
        ),
        "scx_bpf_dsq_insert(p, 0, max(min(SCX_SLICE_DFL, 5), 1000000), enq_flags);",
    ),
    "enumerators": (
        "enum consts { NSEC_PER_USEC = 1000ULL, NSEC_PER_MSEC = (1000ULL * NSEC_PER_USEC), CLOCK_BOOTTIME = 7 };\n",
        "scx_bpf_dsq_insert(p, 0, 5 * NSEC_PER_MSEC, enq_flags);",
    ),
    "a kfunc's declaration": (
        "extern void scx_bpf_dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags) __ksym;\n",
        INSERT,
    ),
    "macros again": (
        "#define NSEC_PER_SEC 1000000000\n#define ENOMEM 12\n#define likely(x) (x)\n",
        f"if (likely(1)) {INSERT}",
    ),
    "unused things": ("static int unused;\nstatic void never(void) {}\n", f"u64 x = 5; {INSERT}"),
    "C's own headers": (
        "".join(f"#include <{name}.h>\n" for name in ("stdbool", "stdint", "stddef", "limits", "string", "errno")),
        f"uint64_t a[2]; bool yes = true; memset(a, 0, sizeof(a)); if (yes && a[1] < INT_MAX) {INSERT}",
    ),
    "events": (
        "",
        f"struct scx_event_stats e = {{}}; if (scx_read_event(&e, SCX_EV_REENQ_IMMED) >= 0) {INSERT}",
    ),
    "weights": ("", "scx_bpf_dsq_insert(p, 0, scale_by_task_weight(p, 1000000), enq_flags);"),
    "arrays for all CPUs": (
        "const volatile u32 nr_cpu_ids = 1;\nu64 RESIZABLE_ARRAY(data, counts);\n",
        f"u64 *c = ARRAY_ELEM_PTR(counts, 0, nr_cpu_ids); if (c) (*c)++; {INSERT}",
    ),
    "iterators of CPUs": ("", f"int *cpu, n = 0; bpf_for_each(online, cpu, NULL, 0) n += *cpu; if (n >= 0) {INSERT}"),
    "per-CPU variables": ("#include <scx/percpu.bpf.h>\n", f"if (cpu_llc_id(0) >= 0) {INSERT}"),
    "NUMA": ("", f"if (__COMPAT_scx_bpf_nr_node_ids() && __COMPAT_HAS_scx_bpf_select_cpu_and) {INSERT}"),
}
WITHOUT_OUR_HEADERS = """
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#define BPF_STRUCT_OPS(name, args...) SEC("struct_ops/"#name) BPF_PROG(name, ##args)
#define BPF_STRUCT_OPS_SLEEPABLE(name, args...) SEC("struct_ops.s/"#name) BPF_PROG(name, ##args)
s32 BPF_STRUCT_OPS_SLEEPABLE(t_init) { return scx_bpf_create_dsq(0, -1); }
int BPF_STRUCT_OPS(t_enqueue, struct task_struct *p, u64 enq_flags)
{
    scx_bpf_dispatch(p, 0, 5000000u / (scx_bpf_dsq_nr_queued(0) + 1), enq_flags);
    return 0;
}
int BPF_STRUCT_OPS(t_dispatch, s32 cpu, struct task_struct *prev) { scx_bpf_consume(0); return 0; }
SEC(".struct_ops.link") struct sched_ext_ops t_ops = {
    .enqueue = (void *)t_enqueue, .dispatch = (void *)t_dispatch, .init = (void *)t_init, .name = "t",
};
char _license[] SEC("license") = "GPL";
"""


@pytest.mark.parametrize("kind", KINDS)
def test_code_in_the_wild_compiles(lab, kind):
    brings, use = KINDS[kind]
    assert compile_policy(HEAD + brings + OPS % use, lab.image("debian"))


def test_names_of_6_12_work_without_our_headers(lab):
    assert compile_policy(WITHOUT_OUR_HEADERS, lab.image("debian"))


def test_uses_of_our_names_are_no_definitions():
    use = f"return max(1, 2); x = time_before(a, b); if (likely(a)) {{ y.max = 3; }} {INSERT} else min(a, b);"
    assert brought_names([HEAD + OPS % use]) == ()
    assert {"max", "NSEC_PER_SEC", "scx_bpf_dsq_insert"} <= our_names()


@pytest.mark.parametrize("part", ["u64 max(", "max(", "/*", '"', "* ", "\\\n", "x ("])
def test_sources_that_repeat_without_end_take_no_time(part):
    assert brought_names([part * (1_000_000 // len(part) // 4)]) == ()
