"""Check each line of a record: it belongs to the trial it names, and its figures follow from its measurement."""

from collections import Counter
from collections.abc import Iterator

from schedcp_gym.envs.base import HELD_OUT_SEEDS
from schedcp_gym.envs.observation import log_improvements
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.run.folder import CONFIG, POLICIES, SOURCE, RunFolder
from schedcp_gym.run.lines import TrialLine, is_trial, measurement_of
from schedcp_gym.run.record import COMMON_DIGESTS
from schedcp_gym.spec import Measurement, Outcome, SchedcpError, reward, source_sha256


def audit_trials(run: RunFolder) -> Iterator[Flaw]:
    """Check policies, trials, seeds, figures and digests of a run's record."""
    yield from _sources(run)
    yield from _trials(run)
    yield from _digests(run)
    yield from _seeds(run)
    yield from _numbers(run)


def _sources(run: RunFolder) -> Iterator[Flaw]:
    seen: dict[str, bool] = {"": True}
    for name, entry in run.trials:
        sha256 = entry["source_sha256"]
        file = f"{POLICIES}/{sha256}{SOURCE}"
        if sha256 not in seen:
            try:
                seen[sha256] = True
                if source_sha256(run.sources[sha256]) != sha256:
                    yield Flaw(FlawKind.POLICY, file, "the source is not the one that was measured")
            except KeyError:
                seen[sha256] = False
            except (SchedcpError, UnicodeDecodeError) as error:
                yield Flaw(FlawKind.DAMAGED, file, str(error))
        if not seen[sha256]:
            yield Flaw(FlawKind.MISSING, name, f"its policy's source is missing: {file}")


def _trials(run: RunFolder) -> Iterator[Flaw]:
    for name, entry in run.trials:
        if not is_trial(entry) and not _is_no_policy(entry):
            yield Flaw(
                FlawKind.TRIAL, name, "it belongs to no trial, so it cannot be measured again, but it has a result"
            )
    wrong = []
    trials = [(name, entry) for name, entry in run.trials if is_trial(entry)]
    for name, entry in trials:
        try:
            if run.trial_of(entry).digest != entry["measurement"]["trial"]:
                wrong.append(name)
        except KeyError:
            continue  # another check reports that the source is missing
    if wrong and len(wrong) == len(trials):
        why = "no trial of its record has this configuration: workload, scale or machine differ"
        yield Flaw(FlawKind.CONFIG, run.file(CONFIG), why)
        return
    for name in wrong:
        why = "the measurement belongs to another trial: policy, tunables, workload or seed differ"
        yield Flaw(FlawKind.TRIAL, name, why)


def _is_no_policy(entry: TrialLine) -> bool:
    """Return whether a line records an action without a policy, which is rejected before anything runs."""
    measured = measurement_of(entry)
    nothing = not (measured.metrics or measured.job_s or measured.cpu_s_by_name or entry["source_sha256"])
    return entry["kind"] == "evaluation" and measured.outcome is Outcome.REJECTED and nothing


def _digests(run: RunFolder) -> Iterator[Flaw]:
    """Check that all trials of a run used the same image, QEMU and so on; ``rerun`` compares them with this host's."""
    for digest in (*COMMON_DIGESTS, "kernel"):
        found = [(name, entry["measurement"]["digests"].get(digest)) for name, entry in run.trials]
        known = [(name, value) for name, value in found if value is not None]
        usual = Counter(value for _name, value in known).most_common(1)
        for name, value in known:
            if value != usual[0][0]:
                yield Flaw(FlawKind.IMAGE, name, f"measured with another {digest} than the rest of the run")
    for name, entry in run.trials:
        measured = entry["measurement"]["digests"]
        if not is_trial(entry):
            continue
        if measured.get("trial", entry["measurement"]["trial"]) != entry["measurement"]["trial"]:
            yield Flaw(FlawKind.TRIAL, name, "its digests belong to another trial")
        if measured.get("policy", entry["source_sha256"]) != entry["source_sha256"]:
            yield Flaw(FlawKind.POLICY, name, "its digests belong to another policy")
        missing = [digest for digest in ("image", "machine", "qemu", "workload", "runner") if digest not in measured]
        if missing:
            yield Flaw(FlawKind.MISSING, name, f"it has no digest of {', '.join(missing)}")


def _seeds(run: RunFolder) -> Iterator[Flaw]:
    for name, entry in run.trials:
        if entry["scale"] != run.settings.scale.value:
            yield Flaw(FlawKind.TRIAL, name, f"its scale is {entry['scale']}, the run's is {run.settings.scale}")
        if entry["kind"] == "heldout":
            if entry["workload"] not in {run.workload.name, *run.variants}:
                yield Flaw(FlawKind.HELDOUT, name, f"{entry['workload']} is not among the run's held-out variants")
            continue
        if entry["workload"] in run.variants:
            yield Flaw(FlawKind.HELDOUT, name, f"the search used the held-out variant {entry['workload']}")
        elif entry["workload"] != run.workload.name:
            yield Flaw(FlawKind.TRIAL, name, f"it is on {entry['workload']}, the run is on {run.workload.name}")
        if entry["workload_seed"] >= HELD_OUT_SEEDS:
            yield Flaw(FlawKind.HELDOUT, name, f"the search used the held-out seed {entry['workload_seed']}")


def _numbers(run: RunFolder) -> Iterator[Flaw]:
    baselines: dict[tuple[str, str, int], Measurement] = {}
    for name, entry in run.trials:
        measured = measurement_of(entry)
        place = ("heldout" if entry["kind"] == "heldout" else "search", entry["workload"], entry["workload_seed"])
        is_baseline = entry["kind"] == "baseline" or (entry["kind"] == "heldout" and place not in baselines)
        if is_baseline:
            baselines[place] = measured
            if entry["source_sha256"] or not measured.ok:
                yield Flaw(FlawKind.MISSING, name, "the measurement of EEVDF on this seed is missing")
        baseline = baselines.get(place)
        if baseline is None or not baseline.ok:
            continue  # audit_order reports that it is missing
        yield from (Flaw(FlawKind.NUMBER, name, reason) for reason in _wrong(run, entry, measured, baseline))


def _wrong(run: RunFolder, entry: TrialLine, measured: Measurement, baseline: Measurement) -> Iterator[str]:
    if entry["outcome"] != measured.outcome.value:
        yield f"outcome is {entry['outcome']}, the measurement's is {measured.outcome}"
    if missing := [metric for metric in run.workload.metrics if measured.ok and metric not in measured.metrics]:
        yield f"{', '.join(missing)} missing in the measurement"
        return
    expected = reward(run.workload, measured, baseline, run.objective)
    if entry["reward"] != expected:
        yield f"reward is {entry['reward']}, by the measurement it is {expected}"
    parts = log_improvements(run.workload, measured, baseline)
    for metric in sorted(parts.keys() | entry["reward_parts"].keys()):
        if entry["reward_parts"].get(metric) != parts.get(metric):
            claimed, found = entry["reward_parts"].get(metric), parts.get(metric)
            yield f"reward_parts.{metric} is {claimed}, by the measurement it is {found}"
