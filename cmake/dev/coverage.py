#!/usr/bin/env python3
"""Lines of runtime/ that ran, by what gcov wrote beside the objects: a table by file, and the total.

    coverage.py --objects DIR [--lines] [FILE...]

--lines: also the numbers of the lines that never ran. FILE (as "await.c"): only these."""

import argparse
import glob
import json
import os
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--objects", required=True)
parser.add_argument("--lines", action="store_true")
parser.add_argument("files", nargs="*")
options = parser.parse_args()

counts = {}  # file -> line -> how often; a line of a header counts in each object that has it
data = glob.glob(os.path.join(options.objects, "*.gcda"))
if not data:
    sys.exit(f"coverage: nothing in {options.objects}")
for path in data:
    text = subprocess.run(["gcov", "--json-format", "--stdout", os.path.abspath(path)], check=True,
                          stdout=subprocess.PIPE, cwd="/").stdout
    for report in text.splitlines():
        for source in json.loads(report)["files"]:
            folder, name = os.path.split(source["file"])
            if not folder.endswith("runtime"):
                continue
            lines = counts.setdefault(name, {})
            for line in source["lines"]:
                number = line["line_number"]
                lines[number] = lines.get(number, 0) + line["count"]


def ranges(numbers):
    """3, 4, 5, 9 as "3-5 9"."""
    runs = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


all_lines = all_run = 0
for name in sorted(counts):
    lines = counts[name]
    run = sum(1 for count in lines.values() if count)
    all_lines += len(lines)
    all_run += run
    if options.files and name not in options.files:
        continue
    print(f"{name:<24} {run:>5} of {len(lines):>5}  {100 * run / len(lines):6.1f} %")
    if options.lines and run < len(lines):
        print(f"    {ranges(number for number, count in lines.items() if not count)}")
print(f"{'runtime/':<24} {all_run:>5} of {all_lines:>5}  {100 * all_run / all_lines:6.1f} %")
