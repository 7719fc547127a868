# ./dev fuzz [SECONDS]
dev_fuzz() {
  local seconds=${1:-60} source name found=
  case $seconds in '' | *[!0-9]*) echo "dev fuzz: \"$seconds\" is not a number of seconds" >&2; exit 2 ;; esac
  . cmake/dev/build.sh
  dev_build fuzz >&2
  for source in tests/fuzz/fuzz_*.c; do
    [ -f "$source" ] || continue
    found=1 name=$(basename "$source" .c)
    # New inputs go to build/, and the corpus in the tree stays what its author chose.
    mkdir -p "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
    echo "== $name"
    "build/fuzz/bin/$name" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix=build/fuzz/ \
      "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" 2>&1 | tail -n 12
  done
  [ -n "$found" ] || echo "fuzz: there is none yet (tests/fuzz/fuzz_*.c)"
}
