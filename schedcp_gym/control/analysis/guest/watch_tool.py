"""Runs the workload under a tool, then writes what the tool has to say. Guest side.

A tool (``tool.py``) has ``WATCHED``, the program that runs the workload, and ``report()``, a table as a dictionary:
``columns``, ``rows``, perhaps a ``note``. What a tool records stays here.
"""

import json

import tool
from launch import launch
from quick_start import few_symbols

# perf too reads the kernel's whole list of symbols, for ten guest seconds, and needs none of them here.
with few_symbols("/job/watch/kallsyms"):
    launch(tool.WATCHED)
    found = tool.report()
with open("/result/tool.json", "w") as file:
    json.dump(found, file)
