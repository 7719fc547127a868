# ./dev valgrind [COMPONENT/TEST...]: the unit tests under valgrind, all of them or those named (runtime/test_await).
# Leaks are AddressSanitizer's to find: children of fork, which end without ceremony, would count as leaking here.

dev_valgrind() {
  . cmake/dev/build.sh
  . cmake/dev/test.sh
  command -v valgrind >/dev/null || die "there is no valgrind (./dev deps installs it)"
  mkdir -p "$log"
  dev_build debug >&2
  [ $# -gt 0 ] || set -- $(cd tests/unit && ls -- */test_*.c | sed 's/\.c$//')
  local name
  for name; do
    [ -x "build/debug/tests/unit/$name" ] || die "valgrind: no unit test \"$name\""
    valgrind_one "$name"
  done
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}

# valgrind_one NAME: a program that needs a system call which this valgrind does not know can tell nothing. Its threads take turns
# (--fair-sched): else one that spins may keep those out that it spins for. A test may have suppressions of its own.
valgrind_one() {
  local suppressions=(--suppressions=tests/sanitizers/valgrind) own=tests/sanitizers/valgrind-${1//\//-}
  [ ! -f "$own" ] || suppressions+=("--suppressions=$own")
  local output=$log/valgrind-${1//\//-} unknown='unhandled .* syscall: 434' # pidfd_open
  printf '%-32s ' "$1"
  if CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=5 600 valgrind --quiet --fair-sched=try --error-exitcode=66 \
      --child-silent-after-fork=yes "${suppressions[@]}" --log-file="$output.valgrind.log" \
      "build/debug/tests/unit/$1" >"$output.log" 2>&1 </dev/null; then
    good
    echo "clean"
  elif grep -q "$unknown" "$output.valgrind.log" && ! grep -qE '^==[0-9]+== +at ' "$output.valgrind.log"; then
    echo "skipped: this valgrind does not know pidfd_open"
  else
    echo "FAILED"
    grep -vE '^--[0-9]+--' "$output.valgrind.log" >>"$output.log" || true
    bad "$1 under valgrind" "$output.log"
  fi
}
