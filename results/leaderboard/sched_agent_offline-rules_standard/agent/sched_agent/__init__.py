"""sched_agent: four roles in an in-context reinforcement-learning loop, after the SchedCP paper."""
