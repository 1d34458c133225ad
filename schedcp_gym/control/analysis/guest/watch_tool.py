"""Runs the workload under a tool, then writes what the tool has to say. Guest side.

A tool (``tool.py``) has ``WATCHED``, the program that runs the workload, and ``report()``, a table as a dictionary:
``columns``, ``rows``, perhaps a ``note``. What a tool records stays here.
"""

import json

import tool
from launch import launch

launch(tool.WATCHED)
with open("/result/tool.json", "w") as file:
    json.dump(tool.report(), file)
