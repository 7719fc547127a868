#!/usr/bin/env python3
"""Runs the programs that test the libraries of script jobs, each on one loop and on two; of the asan build, each on one or on
two, in turn.

usage: tests/scripts/libraries.py [PRESET] [NAME...]      (default: release, all of libraries/*.lua)

A program has passed if it ends as it is to, and leaves no process behind. It runs in an empty directory. Its first lines may
name options of script_run, and the exit status that is expected: `-- options: --memory 8388608`, `-- status: 1`.
"""
import concurrent.futures, os, pathlib, re, subprocess, sys, tempfile, time, uuid

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LOOPS = (['--single'], ['--loops', '2'])
SECONDS = 120
AT_A_TIME = 4  # they mostly wait


def heading_of(program):
    """The words of the lines at its beginning that are `-- NAME: WORDS`."""
    heading = {}
    for line in program.read_text().splitlines():
        match = re.fullmatch(r'-- (options|status): (.*)', line)
        if not match:
            return heading
        heading[match[1]] = match[2].split()


def left_behind(mark):
    """The processes that carry the mark in their environment."""
    found = []
    for entry in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            if mark.encode() in (entry / 'environ').read_bytes():
                found.append(f'{entry.name} {(entry / "cmdline").read_bytes().replace(bytes(1), b" ").decode()}')
        except OSError:
            pass
    return found


def run(runner, program, loops):
    """What went wrong, or None."""
    mark = f'HEDDLE_TEST_MARK={uuid.uuid4()}'
    modules = [f'--module={path.name}={path}' for path in sorted((HERE / 'libraries/modules').glob('*.lua'))]
    name, value = mark.split('=')
    heading = heading_of(program)
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = subprocess.run([runner, *loops, *heading.get("options", []), *modules, program], cwd=folder, text=True,
                                    errors='replace', capture_output=True, timeout=SECONDS,
                                    env={**os.environ, name: value})
        except subprocess.TimeoutExpired as error:
            return f'did not end within {SECONDS} s\n{error.stderr or ""}'
    if result.returncode != int(heading.get('status', ['0'])[0]):
        return f'exit status {result.returncode}\n{result.stdout[-2000:]}{result.stderr[-4000:]}'
    if left := left_behind(mark):
        return f'left processes behind: {"; ".join(left)}'
    return None


def main():
    arguments = sys.argv[1:]
    preset = arguments.pop(0) if arguments and (ROOT / 'build' / arguments[0]).is_dir() else 'release'
    runner = ROOT / 'build' / preset / 'bin/script_run'
    programs = [path for path in sorted((HERE / 'libraries').glob('*.lua')) if not arguments or path.stem in arguments]
    runs = [(program, loops) for i, program in enumerate(programs)
            for loops in (LOOPS if preset != 'asan' else [LOOPS[i % 2]])]
    failures = []

    def timed(program, loops):
        began = time.monotonic()
        return run(runner, program, loops), time.monotonic() - began

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for (program, loops), (wrong, took) in zip(runs, pool.map(timed, *zip(*runs))):
            print(f'{program.stem:20} {" ".join(loops):10} {took:6.2f} s  {"FAILED" if wrong else "ok"}')
            if wrong:
                failures.append(f'FAILED {program.stem} {" ".join(loops)}: {wrong.rstrip()}')
    print(*failures, f'{len(runs) - len(failures)} passed, {len(failures)} failed', sep='\n')
    sys.exit(1 if failures or not programs else 0)


if __name__ == '__main__':
    main()
