#!/usr/bin/env bash
# The pipeline stage by stage on a generated capture, beside raw Hyperscan.
# PCAP names another capture, RULES a rule file or folder to measure as well;
# without RULES, ET Open's is taken where it lies beside the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
args=()
[[ -z "${PCAP:-}" ]] || args+=(-pcap "$PCAP")
rules=${RULES:-../shared/data/rules/et-open}
[[ ! -e "$rules" ]] || args+=(-rules "$rules")
exec "${GO:-go}" run ./benchmarks/replay "${args[@]}" "$@"
