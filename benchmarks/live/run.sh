#!/usr/bin/env bash
# Throughput and latency between two hosts over the Linux bridge, past the
# workers and through them. RULES names a rule file or folder to measure as well;
# without it, ET Open's is taken where it lies beside the repository. Results go to
# benchmarks/live; other arguments go to the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [[ $EUID != 0 ]]; then
  echo "benchmarks/live needs root for network namespaces: left out" >&2
  exit 0
fi
args=()
rules=${RULES:-../shared/data/rules/et-open}
[[ ! -e "$rules" ]] || args+=(-rules "$rules")
[[ -x bin/sluice ]] || { "${GO:-go}" build -o bin/ ./cmd/sluice; }
exec "${GO:-go}" run ./benchmarks/live -out benchmarks/live "${args[@]}" "$@"
