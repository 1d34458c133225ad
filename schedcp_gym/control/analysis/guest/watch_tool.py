"""Run the workload under a tool, and write the tool's table. Guest side.

A tool (``tool.py``) has ``WATCHED``, the program that runs the workload, and ``report()``, which returns a table as a
dictionary: ``columns``, ``rows`` and optionally a ``note``. What a tool records stays in the guest.
"""

import json

import tool
from launch import launch
from quick_start import few_symbols

# perf would read all symbols of the kernel, which takes ten guest seconds, and it needs none of them here.
with few_symbols("/job/watch/kallsyms"):
    launch(tool.WATCHED)
    found = tool.report()
with open("/result/tool.json", "w") as file:
    json.dump(found, file)
