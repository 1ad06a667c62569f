#!/bin/sh
# run-fuzz.sh RUNS PROGRAM...: each fuzz target for RUNS inputs, from its seeds
# (tests/fuzz/seeds/MODULE/).  Closing line: "N passed, N failed".
runs=$1
shift
pass=0 fail=0
for t; do
	name=${t##*/fuzz_} room=$(dirname "${t##*/fuzz/}")
	corpus=$(mktemp -d)
	seeds=tests/fuzz/seeds/$name
	[ -d "$seeds" ] || seeds=
	if (cd "$corpus" && exit 0) && "$t" -runs="$runs" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
		-artifact_prefix="$corpus/" "$corpus" $seeds >"$corpus.log" 2>&1; then
		pass=$((pass + 1)) verdict=ok
	else
		fail=$((fail + 1)) verdict=FAILED
		tail -40 "$corpus.log"
	fi
	printf '  %-7s%-44s %s\n' FUZZ "$room/$name" "$verdict"
	rm -rf "$corpus" "$corpus.log"
done
echo "$pass passed, $fail failed"
[ "$fail" -eq 0 ] && [ "$pass" -gt 0 ]
