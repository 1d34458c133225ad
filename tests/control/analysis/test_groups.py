import dataclasses

from schedcp_gym.control.analysis.groups import group, wakes


def test_forty_jobs_with_names_of_their_own_are_one_group_and_the_long_one_stands_out(trace_of):
    trace = trace_of("longtail")
    jobs, driver = group(trace)
    assert (jobs.label, jobs.kind, len(jobs.tasks), jobs.own_names) == ("longtail-job", "process", 40, True)
    assert (driver.label, len(driver.tasks), driver.own_names) == ("longtail", 1, False)
    (long,) = jobs.outliers(trace.run_us)
    assert long.args[long.args.index("--records") + 1] == "512500"


def test_threads_of_one_process_are_told_apart_by_name(trace_of):
    found = {one.label: len(one.tasks) for one in group(trace_of("schbench"))}
    assert found == {"schbench-worker": 8, "schbench": 1, "schbench-msg": 2}


def test_numbered_names_are_one_group(trace_of):
    trace = trace_of("schbench")
    tasks = tuple(dataclasses.replace(task, name=f"worker-{task.slot}") for task in trace.tasks)
    workers, first = group(dataclasses.replace(trace, tasks=tasks))
    assert (workers.label, workers.own_names, len(workers.tasks)) == ("worker-#", False, 10)
    assert first.label == "worker-1"


def test_each_wake_up_is_counted_once(trace_of):
    trace = trace_of("schbench")
    found = wakes(trace, group(trace))
    assert sum(count for *_, count in found) == sum(task.wakes for task in trace.tasks)
    # A worker sleeps by a timer, and asks its message thread, which answers.
    assert [pair for *pair, _ in found[:3]] == [
        ["timer", "schbench-worker"],
        ["schbench-worker", "schbench-msg"],
        ["schbench-msg", "schbench-worker"],
    ]
