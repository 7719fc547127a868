# ./dev coverage [--lines] [FILE...]: which lines of runtime/ its unit tests run; --lines names those they do not.
dev_coverage() {
  . cmake/dev/build.sh
  . cmake/dev/test.sh
  local source name output targets=()
  mkdir -p "$log"
  for source in tests/unit/runtime/test_*.c; do targets+=("runtime_$(basename "$source" .c)"); done
  dev_build coverage "${targets[@]}" >&2
  find build/coverage -name '*.gcda' -delete
  for source in tests/unit/runtime/test_*.c; do
    name=$(basename "$source" .c) output=$log/coverage-$name.log
    run_tap "$output" "build/coverage/tests/unit/runtime/$name"
    count_tap "coverage $name" "$output"
  done
  [ "$failed" = 0 ] || die "$failed tests failed: what they cover is not told"
  python3 cmake/dev/coverage.py --objects build/coverage/runtime/CMakeFiles/heddle_test.dir "$@"
}
