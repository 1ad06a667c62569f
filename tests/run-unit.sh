#!/bin/sh
# Run each cmocka program in turn; print what it says and, last, the sum.  Some run in real time on a machine that
# others use too: one that fails is run once more and marked UNSTEADY; what is wrong fails again.
# Closing line: "N passed, N failed, N skipped".
pass=0 fail=0 skip=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT INT TERM
for t; do
	"$t" >"$out" 2>&1
	rc=$?
	if [ $rc -ne 0 ]; then
		cat "$out"
		printf '  %-7s%s: once more\n' UNSTEADY "${t##*/unit/}"
		"$t" >"$out" 2>&1
		rc=$?
	fi
	p=$(grep -c '^\[       OK \]' "$out")
	f=$(grep -c '^\[  FAILED  \] [a-z_0-9]*$' "$out")
	s=$(grep -c '^\[  SKIPPED \] [a-z_0-9]*$' "$out")
	[ $rc -ne 0 ] && [ "$f" -eq 0 ] && f=1
	if [ "$f" -gt 0 ] || [ -n "$V" ]; then cat "$out"; fi
	printf '  %-7s%-44s %s passed, %s failed, %s skipped\n' UNIT "${t##*/unit/}" "$p" "$f" "$s"
	pass=$((pass + p)) fail=$((fail + f)) skip=$((skip + s))
done
echo "$pass passed, $fail failed, $skip skipped"
[ "$fail" -eq 0 ] && [ "$pass" -gt 0 ]
