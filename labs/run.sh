#!/bin/bash
# Runs every lab on this machine without any scheduler, two processes at a time, and verifies it.
# Usage: labs/run.sh [FOLDER]    results go to FOLDER/LAB; by default each lab's own results/
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:+$(mkdir -p "$1" && cd "$1" && pwd)}

enter() {
    cd "$here/$1"
    if [ -n "$out" ]; then export SUANPAN_LAB_OUT="$out/$1"; else unset SUANPAN_LAB_OUT; fi
}

enter medical
seq 0 11 | xargs -P 2 -n 1 python3 wdbc.py sweep --task
python3 wdbc.py report
python3 verify.py

enter manufacturing
seq 0 7 | xargs -P 2 -n 1 python3 cooling.py run --setting
python3 cooling.py pick
python3 verify.py

enter education
export SLURM_NTASKS=2
seq 0 1 | xargs -P 2 -I RANK env SLURM_PROCID=RANK python3 digits.py classify
python3 digits.py merge
python3 verify.py
