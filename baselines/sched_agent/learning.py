"""Learning: find the reasons for results."""

from schedcp_gym.baselines.sched_agent.messages import LearningTask, Lessons
from schedcp_gym.baselines.sched_agent.role import Role


class Learning(Role[LearningTask, Lessons]):
    """Reads feedback, keeps lessons and improved policies in the repository, and says whether to go on."""

    name = "learning"
    tools = ("get_feedback", "record_learning", "add_policy")
    answer = Lessons
