#!/bin/sh
# run.sh [NAME...]: the benches (bench/NAME.py), or all but those with a "_", which are large.  Each prints a
# table and writes build/bench/NAME.json:
# {"machine": {...}, "figures": [{"name", "value", "unit", "goal", "peer"}]}.
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- $(ls bench | sed -n 's/^\([a-z]*\)\.py$/\1/p')
status=0
for name; do
	PYTHONPATH=e2e python3 -B "bench/$name.py" || status=1
done
exit $status
