# The install step of ./dev test: what `cmake --install` leaves is complete, and others can build on it.

install_step() {
  local root
  root=$(mktemp -d)
  install_layout "$root/dest"
  if install_into "$root/prefix"; then
    install_symbols "$root/prefix"
    install_foreign "$root/prefix" "$root/foreign"
    install_units "$root/prefix" "$root"
  fi
  rm -rf "$root"
}

# Staged as a package would be: everything is there, and an administrator's configuration stays.
install_layout() {
  local dest=$1 file missing=() output=$log/install-layout.log
  mkdir -p "$dest/etc/heddle" && echo "mine" >"$dest/etc/heddle/heddle.conf"
  if ! DESTDIR=$dest cmake --install build/release --prefix /usr >"$output" 2>&1; then
    bad "install with DESTDIR" "$output"
    return 0
  fi
  local expected=(usr/bin/heddled usr/bin/heddlectl usr/include/heddle.h usr/lib/systemd/system/heddled.service
    usr/lib/systemd/user/heddled.service usr/lib/sysusers.d/heddled.conf usr/lib/tmpfiles.d/heddled.conf
    usr/share/bash-completion/completions/heddlectl usr/share/zsh/site-functions/_heddlectl
    usr/share/fish/vendor_completions.d/heddlectl.fish usr/share/doc/heddle/README.md
    usr/share/doc/heddle/examples/heddle.conf usr/share/doc/heddle/examples/open-folder.conf.example)
  for file in "${expected[@]}"; do [ -s "$dest/$file" ] || missing+=("$file"); done
  [ "$(cat "$dest/etc/heddle/heddle.conf")" = mine ] || missing+=("the configuration that was there before")
  printf 'not installed: %s\n' "${missing[@]}" >>"$output"
  if [ ${#missing[@]} = 0 ]; then good; else bad "installed files" "$output"; fi
}

install_into() {
  cmake --install build/release --prefix "$1" >"$log/install.log" 2>&1 && return 0
  bad "install" "$log/install.log"
  return 1
}

# The shared library shows its public interface and nothing else.
install_symbols() {
  check "libheddle.so shows a symbol that is not hd_..." "$log/install-symbols.log" bash -c '
    symbols=$(nm -D --defined-only "$1"/lib*/libheddle.so | awk "{ print \$3 }")
    [ -n "$symbols" ] && ! grep -vE "^hd_" <<<"$symbols"' - "$1"
}

# A project that knows nothing of this tree, built and run with the .pc file and with the CMake package.
install_foreign() {
  local prefix=$1 work=$2
  mkdir -p "$work"
  cp cmake/dev/foreign/* "$work"
  check "a project that uses heddle.pc" "$log/install-pc.log" bash -c '
    set -e; cd "$2"
    export PKG_CONFIG_PATH=$1/lib/pkgconfig
    gcc -o shared main.c $(pkg-config --cflags --libs heddle) -Wl,-rpath,"$1/lib" && ./shared
    gcc -o static main.c $(pkg-config --cflags heddle) "$1/lib/libheddle.a" $(pkg-config --libs-only-l --static heddle |
      sed s/-lheddle//) && ./static' - "$prefix" "$work"
  check "a project that uses the CMake package" "$log/install-cmake.log" bash -c '
    set -e; cd "$2"
    cmake -S . -B build -G Ninja -DCMAKE_PREFIX_PATH="$1" && cmake --build build
    ./build/with_shared && ./build/with_static' - "$prefix" "$work"
}

# systemd-analyze verify exits 0 on unknown keys: only its silence counts.
install_units() {
  local units=$1/lib/systemd
  [ -f "$units/system/heddled.service" ] || { bad "no unit was installed"; return 0; }
  check "systemd-analyze verify, system unit" "$log/install-verify.log" silent \
    systemd-analyze verify "$units/system/heddled.service"
  check "systemd-analyze verify, user unit" "$log/install-verify-user.log" silent \
    env XDG_RUNTIME_DIR="$2" systemd-analyze --user verify "$units/user/heddled.service"
  check "systemd-analyze security" "$log/install-security.log" \
    systemd-analyze security --no-pager --offline=yes --threshold=20 "$units/system/heddled.service"
  # The worked drop-in must be good too, so it is tried in its place.
  mkdir -p "$2/drop-in/heddled.service.d"
  cp "$units/system/heddled.service" "$2/drop-in/"
  cp systemd/heddled.service.d/open-folder.conf.example "$2/drop-in/heddled.service.d/open-folder.conf"
  check "systemd-analyze verify, with the drop-in" "$log/install-drop-in.log" silent \
    systemd-analyze verify "$2/drop-in/heddled.service"
}

silent() {
  local output status=0
  output=$("$@" 2>&1) || status=$?
  printf '%s\n' "$output"
  [ "$status" = 0 ] && [ -z "$output" ]
}
