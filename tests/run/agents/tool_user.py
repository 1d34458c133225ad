"""An agent of the tests': it uses a model and tools, in a fixed order."""

import json

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.llm import ToolCall, user


class ToolUser(Agent):
    """Analyses, submits a policy of the library with a change, asks for a slice, and measures it; twice."""

    action = "Synth"
    uses_llm = True
    uses_tools = True

    def run(self, given: Assignment) -> None:
        """Two iterations."""
        assert given.llm is not None
        assert given.tools is not None
        given.env.reset(seed=given.seed)
        workload = given.env.unwrapped.workload.name
        call = given.tools.call
        for number in (1, 2):
            given.note({"iteration": number})
            seen = call("analyze_workload", {"workload": workload})
            source = call("get_policy", {"policy": "fifo"}).data["source"]["text"].replace("fifo", f"fifo{number}")
            draft = call("submit_policy", {"source": source, "stages": "quick"})
            assert draft.data["passed"], draft.text
            told = [seen.text, draft.text, str(given.ledger.evaluations_left), str(given.ledger.virtual_s)]
            reply = given.llm.chat("planning", [user("\n".join(told))])
            wanted = [
                {"workload": workload, "policy": draft.data["policy"], "tunables": {"slice_us": slice_us}}
                for slice_us in json.loads(reply.text)
            ]
            given.tools.prepare([ToolCall("", "measure_policy", arguments) for arguments in wanted])
            for arguments in wanted:
                call("measure_policy", arguments)
            call("measure_policy", {"workload": workload, "policy": "no-such-policy"})
            call("get_feedback", wanted[0])
            call("add_policy", {"name": f"fifo-{number}", "policy": draft.data["policy"], "workloads": [workload]})
