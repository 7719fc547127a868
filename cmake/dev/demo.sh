# ./dev demo
dev_demo() {
  . cmake/dev/deps.sh
  . cmake/dev/build.sh
  dev_deps
  dev_build release
  exec bash tests/e2e/demo.sh "$@"
}
