"""The kernel's own scheduler as an agent."""

from schedcp_gym.baselines.agent import Agent, Assignment


class Eevdf(Agent):
    """Always chooses the kernel's own scheduler: the reference, with a reward of exactly 0 on the virtual clock."""

    def run(self, given: Assignment) -> None:
        """Measure EEVDF until the budget is spent."""
        env = given.env
        action = env.get_wrapper_attr("encode")("eevdf")
        env.reset(seed=given.seed)
        while True:
            if env.step(action)[3]:
                env.reset()
