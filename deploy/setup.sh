#!/usr/bin/env bash
# Installs what building and running Sluice need on Debian 12 and its kin, and
# with --test what its tests need too. Quick where nothing is missing. --check only
# tells.
set -euo pipefail

# Build: cgo (one library of it in C++) and its two libraries, clang 14 for the
# BPF programs (pinned, so that the committed objects can be compared byte for byte).
# Run where rules or records describe files by content: libmagic1, looked for then.
# Run and demonstrate: links, offloads, captures, and PDF text in a child process.
packages=(
  gcc g++ pkg-config libc6-dev make git ca-certificates
  libhyperscan-dev libpcre2-dev libmagic1
  clang-14 llvm-14 libbpf-dev linux-libc-dev
  iproute2 procps ethtool nftables curl openssl tcpdump poppler-utils
)
# Test: clients that send files, mail and messages, servers of file shares and of a
# database, a broker, and both ends of directories, agents, telephones, chats by
# WebSocket, leases of addresses and logins by Kerberos.
test_packages=(
  lftp swaks smbclient samba mosquitto mosquitto-clients postgresql postgresql-client
  slapd ldap-utils snmpd snmp sip-tester python3-websockets udhcpd udhcpc
  krb5-kdc krb5-admin-server krb5-user
)

check=false
for arg in "$@"; do
  case "$arg" in
    --test) packages+=("${test_packages[@]}") ;;
    --check) check=true ;;
    *) echo "setup: unknown argument $arg" >&2; exit 2 ;;
  esac
done

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
if $check; then
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
# No package starts a server of its own here: the tests start what they need, in
# namespaces of their own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi
# Another installation may be under way, as on a machine that updates itself.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
