"""What is known of a run's policies: whatever way their values were said."""

from schedcp_gym.baselines.sched_agent.facts import Facts


def measured(facts, policy, asked, values, evaluation, improvement=1.5):
    data = {"tunables": values, "outcome": "ok", "improvement": improvement, "evaluation": evaluation}
    return facts.measured(policy, asked, {**data, "workload_seed": 1})


def test_a_policy_with_values_of_its_own_is_found_by_what_was_asked_and_by_what_was_meant():
    facts = Facts()
    kept = measured(facts, "ljf-ember", {}, {"favour": "ember"}, 1)
    assert facts.find("ljf-ember", {}) == kept
    assert facts.find("ljf-ember", {"favour": "ember"}) == kept
    assert facts.find("ljf-ember", {"favour": "other"}) is None


def test_what_is_verified_and_deployed_by_what_was_asked_is_what_is_chosen():
    facts = Facts()
    measured(facts, "fifo", {}, {}, 1, improvement=1.7)
    measured(facts, "ljf-ember", {}, {"favour": "ember"}, 2)
    facts.verified("ljf-ember", {}, True, "")
    facts.deploy("ljf-ember", {})
    assert facts.chosen is not None
    assert (facts.chosen.policy, facts.chosen.deployed) == ("ljf-ember", True)
    assert facts.evaluation(facts.chosen) == 2


def test_what_is_no_better_than_eevdf_is_never_chosen():
    facts = Facts()
    measured(facts, "fifo", {}, {}, 1, improvement=0.2)
    facts.verified("fifo", {}, True, "")
    facts.deploy("fifo", {})
    assert facts.chosen is None
