#!/usr/bin/env bash
# Installs what building, testing and running Sluice need on Debian 12 and its
# kin. Quick where nothing is missing. --check only tells.
set -euo pipefail

# Build: cgo (one library of it in C++) and its two libraries, clang 14 for the BPF programs (pinned, so
# that the committed objects can be compared byte for byte).
# Test and run: links, offloads, captures, PDF text in a child process, and
# clients that send files and mail.
packages=(
  gcc g++ pkg-config libc6-dev make git ca-certificates
  libhyperscan-dev libpcre2-dev
  clang-14 llvm-14 libbpf-dev linux-libc-dev
  iproute2 procps ethtool nftables curl openssl tcpdump poppler-utils lftp swaks
)

installed() {
  [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

if ! command -v dpkg-query >/dev/null; then
  echo "setup: not a Debian system; install by your own means what these packages hold: ${packages[*]}" >&2
  exit 0
fi

missing=()
for p in "${packages[@]}"; do
  installed "$p" || missing+=("$p")
done

if ! command -v go >/dev/null; then
  echo "setup: Go is missing; install the version that go.mod names (https://go.dev/doc/install)" >&2
  exit 1
fi
if [[ ${#missing[@]} -eq 0 ]]; then
  exit 0
fi
if [[ "${1:-}" == --check ]]; then
  echo "setup: missing: ${missing[*]}"
  exit 1
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: missing: ${missing[*]}; run as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
