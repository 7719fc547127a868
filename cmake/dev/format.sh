# ./dev format [--check]
dev_format() {
  case ${1:-} in
    '') c_sources | xargs -r clang-format -i ;;
    --check) c_sources | xargs -r clang-format --dry-run -Werror --ferror-limit=3 ;;
    *) echo "dev format: \"$1\" is not an option (--check is the only one)" >&2; exit 2 ;;
  esac
}
