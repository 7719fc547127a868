# ./dev test: one quiet line a step. Logs are in build/log; what failed is shown when it fails.
# A step is a function that calls `good`, `bad LOG` or `count_tap`; all of them run, whatever failed before.

passed=0 failed=0
limit=120 # seconds a test program may take
log=build/log

# Leaks count, and a finding ends the program. (exitcode 66 is the sanitizers' own way to say so.)
# detect_deadlocks stays on by default; second_deadlock_stack shows both ends.
sanitizer_options() {
  local suppressions=$PWD/tests/sanitizers
  export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=0:abort_on_error=0
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  export LSAN_OPTIONS=print_suppressions=0
  [ ! -f "$suppressions/tsan" ] || TSAN_OPTIONS+=:suppressions=$suppressions/tsan
  [ ! -f "$suppressions/lsan" ] || LSAN_OPTIONS+=:suppressions=$suppressions/lsan
  ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer-14 || command -v llvm-symbolizer || true)
  export ASAN_SYMBOLIZER_PATH
  TSAN_OPTIONS+=${ASAN_SYMBOLIZER_PATH:+:external_symbolizer_path=$ASAN_SYMBOLIZER_PATH}
}

dev_test() {
  . cmake/dev/deps.sh
  . cmake/dev/install-check.sh
  mkdir -p "$log"
  dev_deps
  sanitizer_options
  # Whatever ends the run early, the last line says that not all is well.
  trap 'echo "$passed passed, $((failed + 1)) failed"' EXIT
  step "format" format_step
  step "layers" layers_step
  local preset
  for preset in release asan tsan; do
    step "build $preset" build_step "$preset"
    [ "$step_failed" = 0 ] || continue
    step "unit $preset" unit_step "$preset"
    step "stress $preset" stress_step "$preset"
    step "examples $preset" examples_step "$preset"
    [ "$preset" != release ] || step "install" install_step
    step "scripts $preset" scripts_step "$preset"
    step "end to end $preset" e2e_step "$preset"
  done
  step "thread-locals" thread_local_step
  trap - EXIT
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

# step NAME FUNCTION ARGS...: runs it, then says what it counted and how long it took.
step() {
  local name=$1 before_passed=$passed before_failed=$failed start=$SECONDS result
  shift
  step_note=
  "$@"
  step_failed=$((failed - before_failed))
  result="$((passed - before_passed)) passed"
  [ "$step_failed" = 0 ] || result+=", $step_failed FAILED"
  printf '%-20s %-24s %4d s%s\n' "$name" "$result" $((SECONDS - start)) "${step_note:+  ($step_note)}"
}

good() { passed=$((passed + 1)); }

# bad WHAT [LOG]: counts a failure and shows the end of its log.
bad() {
  failed=$((failed + 1))
  show_failure "$@"
}

show_failure() {
  echo "--- FAILED: $1"
  [ -z "${2:-}" ] || tail -n 40 "$2" | sed 's/^/    /'
}

# check WHAT LOG COMMAND...: a check that counts as one.
check() {
  local what=$1 output=$2
  shift 2
  if "$@" >"$output" 2>&1; then good; else bad "$what" "$output"; fi
}

format_step() {
  . cmake/dev/format.sh
  check "format (./dev format mends it)" "$log/format.log" dev_format --check
}

layers_step() {
  check "layers, on a tree that breaks each rule" "$log/layers-self-test.log" tests/layers --self-test
  check "layers" "$log/layers.log" tests/layers
  step_note=$(grep -c warning: "$log/layers.log" || true)
  if [ "$step_note" = 0 ]; then step_note=; else step_note="$step_note warnings in $log/layers.log"; fi
}

build_step() {
  check "the $1 build" "$log/build-$1-errors.log" cmake_build "$1"
}

# unit_step PRESET: each tests/unit/<component>/test_*.c, so that one whose program is missing is noticed; two at a time.
unit_step() {
  local source name names=()
  for source in tests/unit/*/test_*.c; do
    [ -f "$source" ] || continue
    name=${source#tests/unit/} names+=("${name%.c}")
  done
  for name in "${names[@]}"; do
    [ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n
    run_tap "$(unit_log "$1" "$name")" "build/$1/tests/unit/$name" &
  done
  wait
  for name in "${names[@]}"; do count_tap "$1 $name" "$(unit_log "$1" "$name")"; done
}

unit_log() { echo "$log/$1-${2//\//-}.log"; }

# run_tap LOG PROGRAM: a program that reports in TAP; its exit status gets into LOG.status.
run_tap() {
  local status=0
  # (The shell's own word on a crash goes nowhere.)
  { CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=5 "$limit" "$2" >"$1" 2>&1 </dev/null || status=$?; } 2>/dev/null
  echo "$status" >"$1.status"
}

# count_tap WHAT LOG: counts each test that the program reported.
count_tap() {
  local what=$1 output=$2 status good_tests bad_tests skipped planned
  status=$(cat "$output.status")
  good_tests=$(grep -cE '^ok ' "$output" || true)
  skipped=$(grep -cE '^not ok .*# SKIP' "$output" || true)
  bad_tests=$(($(grep -cE '^not ok ' "$output" || true) - skipped))
  planned=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$output" | awk '{ sum += $1 } END { print sum + 0 }')
  passed=$((passed + good_tests)) failed=$((failed + bad_tests))
  if [ "$status" = 124 ] || [ "$status" = 137 ]; then echo "(stopped after $limit s)" >>"$output"; fi
  if [ $((good_tests + bad_tests + skipped)) -lt "$planned" ] || [ "$planned" = 0 ] ||
    { [ "$status" != 0 ] && [ "$bad_tests" = 0 ]; }; then
    echo "(ended with status $status after $((good_tests + bad_tests)) of $planned tests)" >>"$output"
    failed=$((failed + 1))
  elif [ "$bad_tests" = 0 ]; then
    return 0
  fi
  show_failure "$what" "$output"
}

# stress_step PRESET: some seconds of the stress program, on libheddle as it is and with tiny rings, and simulated.
stress_step() {
  local program seeds=500
  [ "$1" != tsan ] || seeds=100
  for program in stress stress_tiny_rings; do
    check "$1 $program" "$log/$1-$program.log" timeout --kill-after=5 "$limit" \
      "build/$1/tests/stress/$program" --races 200000 --seconds 3 </dev/null
    check "$1 $program simulated" "$log/$1-$program-simulated.log" timeout --kill-after=5 "$limit" \
      "build/$1/tests/stress/$program" --simulated "$seeds" </dev/null
  done
}

# Where compilers may cache the address of a thread-local across a switch, they do it best with everything in view.
thread_local_step() {
  local preset name=runtime/test_thread_local
  [ -f "tests/unit/$name.c" ] || { step_note="none yet"; return 0; }
  for preset in lto-gcc lto-clang; do
    if cmake_build "$preset" runtime_test_thread_local >"$log/build-$preset-errors.log" 2>&1; then
      run_tap "$log/$preset-test_thread_local.log" "build/$preset/tests/unit/$name"
      count_tap "$preset $name" "$log/$preset-test_thread_local.log"
    else
      bad "the $preset build" "$log/build-$preset-errors.log"
    fi
  done
}

examples_step() {
  local source name output
  for source in runtime/examples/*.c; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .c) output=$log/$1-example-$name.log
    set -- "$1" "build/$1/bin/example_$name"
    [ ! -x "runtime/examples/$name.test" ] || set -- "$1" "runtime/examples/$name.test" "$2"
    check "$1 example $name" "$output" timeout --kill-after=5 60 "${@:2}" </dev/null
  done
}

# counted WHAT LOG SECONDS COMMAND...: checks that count themselves: the last line is "N passed, N failed".
counted() {
  local what=$1 output=$2 seconds=$3 status=0 counts
  shift 3
  timeout --kill-after=10 "$seconds" "$@" >"$output" 2>&1 </dev/null || status=$?
  counts=$(sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$output")
  if [ -z "$counts" ]; then
    echo "(ended with status $status and without a count)" >>"$output"
    bad "$what" "$output"
    return 0
  fi
  passed=$((passed + ${counts% *}))
  if [ "${counts#* }" -gt 0 ]; then
    failed=$((failed + ${counts#* }))
    show_failure "$what" "$output"
  elif [ "$status" != 0 ]; then
    bad "$what (status $status)" "$output"
  fi
}

# With sanitizers it is the service that is looked at; its clients are many short processes, which would take most of the time.
# Under TSan, without the tests that are about the tool or about users.
e2e_step() {
  local options=()
  [ "$1" != tsan ] || options=(--without test_access,test_tool)
  counted "$1 end to end" "$log/$1-e2e.log" 600 \
    python3 tests/e2e/run.py --bin "build/$1/bin" --client build/release/bin --preset "$1" "${options[@]}"
}

# Random programs are many where they are fast; the long run is `tests/scripts/generate.py --count 10000`. What looks at the clock is
# left to the builds that keep time.
scripts_step() {
  local programs=50 libraries=()
  [ "$1" != release ] || programs=400
  [ "$1" != tsan ] || libraries=(json_random tcp_echo tcp_killed sql time)
  [ "$1" = tsan ] ||
    counted "$1 programs" "$log/$1-programs.log" 400 python3 tests/scripts/run.py --bin "build/$1/bin" --preset "$1"
  counted "$1 random programs" "$log/$1-random-programs.log" 400 \
    python3 tests/scripts/generate.py --bin "build/$1/bin" --count "$programs"
  counted "$1 libraries" "$log/$1-libraries.log" 600 python3 tests/scripts/libraries.py "$1" "${libraries[@]}"
  [ "$1" != release ] || counted "docs' programs" "$log/docs.log" 120 python3 tests/scripts/docs.py
}
