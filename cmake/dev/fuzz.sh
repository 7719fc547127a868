# ./dev fuzz [SECONDS [NAME...]]
dev_fuzz() {
  local seconds=${1:-60} source name found= failed=0
  case $seconds in '' | *[!0-9]*) echo "dev fuzz: \"$seconds\" is not a number of seconds" >&2; exit 2 ;; esac
  shift $(($# > 0))
  . cmake/dev/build.sh
  dev_build fuzz >&2
  for source in tests/fuzz/fuzz_*.c; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .c)
    [ $# -eq 0 ] || [[ " $* " == *" $name "* || " $* " == *" ${name#fuzz_} "* ]] || continue
    found=1
    # New inputs go to build/, and the corpus in the tree stays what its author chose.
    mkdir -p "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
    echo "== $name"
    ! declare -F "${name}_seeds" >/dev/null || "${name}_seeds"
    fuzz_one "$name" "$seconds" || failed=1
  done
  [ -n "$found" ] || echo "fuzz: there is no such fuzzer (tests/fuzz/fuzz_*.c)"
  return "$failed"
}

fuzz_one() {
  local name=$1 seconds=$2 shut_in=()
  [ "$name" != fuzz_script ] || confine
  "${shut_in[@]}" "build/fuzz/bin/$name" -max_total_time="$seconds" -timeout=30 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/ "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" \
    >"build/log/$name.log" 2>&1 && { tail -n 12 "build/log/$name.log"; return 0; }
  grep -m 1 -A 40 -E '==ERROR|runtime error|fuzz_script:|Assertion|ALARM' "build/log/$name.log" || tail -n 40 "build/log/$name.log"
  echo "fuzz: $name failed (build/log/$name.log)"
  return 1
}

# Scripts may write files, run programs and signal processes: theirs are those of nobody, in a world with nothing in it. Sets
# `shut_in`; where that is not possible, the fuzzer leaves out what reaches beyond it.
confine() {
  local inside='mount -t tmpfs tmpfs /tmp && mount -t proc proc /proc && { ip link set lo up || true; } &&
    FUZZ_CONFINED=1 exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$@"'
  shut_in=(unshare --mount --net --pid --fork --kill-child sh -c "$inside" confined)
  if [ "$(id -u)" = 0 ] && "${shut_in[@]}" true 2>/dev/null; then
    chown -R 65534:65534 build/fuzz/corpus/fuzz_script
    chmod o+w build/fuzz
  else
    echo "fuzz: scripts cannot be shut in here (root and unshare are needed): without fs, exec and the like"
    shut_in=()
  fi
}

# Scripts that are there anyway, as texts to be changed.
fuzz_script_seeds() {
  local script
  for script in tests/scripts/programs/*.lua tests/scripts/libraries/*.lua; do
    { printf A; cat "$script"; } >"build/fuzz/corpus/fuzz_script/$(basename "$script")"
  done
}
