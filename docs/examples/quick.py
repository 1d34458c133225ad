"""Run one episode: three policies on the same workload."""

import gymnasium

import schedcp_gym.envs  # registers SchedCP/*

env = gymnasium.make("SchedCP/Longtail-Tune-v0", max_steps=3)
observation, info = env.reset(seed=1)  # boots the kernel, measures EEVDF
busiest = next(iter(info["processes"]))  # the process with most CPU time: the long job
for policy, tunables in (("fifo", {}), ("ljf", {}), ("ljf", {"favour": busiest})):
    action = env.unwrapped.encode(policy, tunables)
    observation, reward, terminated, truncated, info = env.step(action)
    print(policy, tunables, info["outcome"], round(float(reward), 3))  # log of the improvement; 0 is EEVDF
