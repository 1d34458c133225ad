"""Planning: searches the repository with what was seen, reads what fits, and chooses what is tried in this round."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from schedcp_gym.llm.providers._offline import profile, propose, ruleset
from schedcp_gym.llm.providers._offline.conversation import Conversation
from schedcp_gym.llm.providers._offline.facts import Facts
from schedcp_gym.llm.providers._offline.library import Known, policies
from schedcp_gym.llm.providers._offline.propose import Proposal, Result

#: Policies that are read before the first plan, beyond the number of candidates.
READ_MORE = 1
#: Diagnoses that are searched for, at first and when there are results.
FIRST, LATER = 2, 4
#: Steps from the best without a gain, after which other ideas get more of a round.
STALLED = 2
#: Searches bring so many names.
HITS = 6
#: From this round on, a policy may be written: figures have shown by then what the library can do.
WRITE_FROM = 2
#: Policies that are written where the library has some that fit.
DRAFTS = 2
#: Names of draft policies begin so: they can't be told from one another by name, and have no card.
DRAFT = "draft-"


def turn(talk: Conversation) -> Any:
    """The next questions to the repository, or the plan."""
    task = talk.block("PlanningTask")
    task = task or next((block for block in reversed(talk.blocks) if block), {})
    task = task if "left" in task else next((v for v in task.values() if isinstance(v, Mapping) and "left" in v), {})
    facts = profile.facts_of(talk)
    results = results_of(task.get("history") or ())
    wanted = int((task.get("left") or {}).get("candidates") or 1)
    known = policies(talk.of("search_repository", "get_policy"))
    questions = _questions(talk, facts, known, results, wanted)
    return questions or _plan(facts, known, results, wanted, _names(task))


def _names(task: Mapping[str, Any]) -> list[str]:
    """What earlier candidates were called: those measured, and those that remarks and lessons say were refused."""
    names = [str(tried.get("candidate")) for tried in task.get("history") or () if tried.get("candidate")]
    said = [str(task.get("remarks") or "")]
    said += [str(one.get("text")) for one in (task.get("lessons") or {}).get("lessons") or ()]
    return names + [name for text in said for name in re.findall(r"([\w-]+) was refused", text)]


def results_of(history: Sequence[Mapping[str, Any]]) -> list[Result]:
    """What was measured, of the program's own record."""
    return [
        Result(
            str(tried.get("policy", "")),
            dict(tried.get("tunables") or {}),
            math.log(max(float(tried.get("improvement") or 0.0), 0.05)),
            # What the verifier or a deployment would not have is no better than what does not run.
            tried.get("outcome") == "ok"
            and tried.get("verified") != "failed"
            and "reverted" not in str(tried.get("message") or ""),
        )
        for tried in history
    ]


def _questions(
    talk: Conversation, facts: Facts, known: Sequence[Known], results: Sequence[Result], wanted: int
) -> list[tuple[str, dict[str, Any]]]:
    if "search_repository" in talk.tools and not talk.asked("search_repository"):
        return [
            talk.call("search_repository", query=query, limit=HITS)
            for query in propose.queries(facts, LATER if results else FIRST)
        ]
    if "get_policy" not in talk.tools:
        return []
    asked = {str(call.arguments.get("policy")) for call in talk.asked("get_policy")}
    best = propose.best_of(results)
    # What was tried has to be read again for its ranges; then what could be tried next.
    names = [best.policy] if best and best.policy else []
    tried = {result.policy for result in results}
    names += propose.worth_reading(facts, known, wanted + READ_MORE if not results else wanted, tried)
    missing = [name for name in dict.fromkeys(names) if name not in asked]
    return [talk.call("get_policy", policy=name) for name in missing] if not asked else []


def _plan(
    facts: Facts, known: Sequence[Known], results: Sequence[Result], wanted: int, names: Sequence[str]
) -> dict[str, Any]:
    proposals = choose(facts, known, results, wanted, names)
    texts = ruleset.load("words")["plan"]
    diagnosis = ruleset.holding(facts)[0]
    best = propose.best_of(results)
    stands = ""
    if best:
        stands = texts["so_far"].replace("$policy", best.policy).replace("$times", f"{math.exp(best.reward):.2f}")
    return {
        "reasoning": " ".join(filter(None, [ruleset.fill(diagnosis["says"], facts), stands])),
        "candidates": [_candidate(proposal, number, results) for number, proposal in enumerate(proposals)],
        "no_gain_expected": not proposals,
    }


def choose(
    facts: Facts, known: Sequence[Known], results: Sequence[Result], wanted: int, names: Sequence[str] = ()
) -> list[Proposal]:
    """So many things to try, the most promising first; none that was measured.

    Args:
        facts: What is known of the workload.
        known: What is known of policies.
        results: What was measured.
        wanted: How many.
        names: What earlier candidates were called, those that were refused included.
    """
    # A policy that was written is in the repository by its candidate's name, too.
    tried = {result.policy for result in results} | set(names)
    written = [re.sub(r"-\d+$", "", name).replace("-", "_") for name in names]
    written += [name.replace("_", "-") for name in written]
    read = {one.name for one in known if one.is_read}
    fresh = [one for one in propose.fitting(facts, known) if one.policy in read - tried]
    if not results:
        first = fresh[:wanted]
        return first if first else _write(facts, known, written, wanted)
    best = propose.best_of(results)
    tuned = _tuned(known, results, best) if best else []
    wrote = _write(facts, known, written, 1) if _writing_is_due(best, results, facts, bool(known)) else []
    # Mostly steps from the best, and one other idea while there is one; the other way round when steps gain no more.
    ideas = (wrote + fresh)[: (max(1, wanted - 1) if _stalled(results, best) else 1) if tuned else wanted]
    chosen = tuned[: max(0, wanted - len(ideas))] + ideas
    return chosen or fresh[:wanted]


def _stalled(results: Sequence[Result], best: Result | None) -> bool:
    later = results[results.index(best) + 1 :] if best else ()
    return sum(result.policy == best.policy for result in later if best) >= STALLED


def _tuned(known: Sequence[Known], results: Sequence[Result], best: Result) -> list[Proposal]:
    policy = _by_name(known, best.policy)
    why = ruleset.load("words")["plan"]["step"]
    proposals = []
    for values in propose.better_values(best.policy, policy.tunables, results):
        changed = sorted(name for name in {*values, *best.values} if values.get(name) != best.values.get(name))
        words = why.replace("$changed", ", ".join(f"{name} {values.get(name, 'default')}" for name in changed))
        proposals.append(Proposal("configure", best.policy, values, words.replace("$policy", best.policy)))
    return proposals


def _writing_is_due(best: Result | None, results: Sequence[Result], facts: Facts, can_configure: bool) -> bool:
    """Whether to write a policy: the library has had its chance, and what is possible is not reached."""
    if not can_configure or best is None:
        return True
    possible = facts.figures.get("above_best_percent")
    if possible is not None and math.exp(best.reward) >= 0.98 / (1 - possible / 100):
        return False
    return len(results) >= WRITE_FROM and len({one.policy for one in results if one.policy.startswith(DRAFT)}) < DRAFTS


def _write(facts: Facts, known: Sequence[Known], tried: Sequence[str], wanted: int) -> list[Proposal]:
    ideas = [*propose.patched(facts, known, tried), *propose.written(facts, tried, simple=not known)]
    return ideas[:wanted]


def _by_name(known: Sequence[Known], name: str) -> Known:
    return next((one for one in known if one.name == name), Known(name, len(known)))


def _candidate(proposal: Proposal, number: int, results: Sequence[Result]) -> dict[str, Any]:
    base = proposal.policy or "new"
    label = proposal.writes.replace("_", "-") if proposal.writes else base
    candidate: dict[str, Any] = {
        "name": f"{label}-{len(results) + number + 1}",
        "way": proposal.way,
        "why": proposal.why,
        "tunables": dict(proposal.values),
    }
    if proposal.policy:
        candidate["policy"] = proposal.policy
    if proposal.change:
        candidate |= {"change": proposal.change, "primitives": list(proposal.primitives)}
    return candidate
