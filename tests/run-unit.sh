#!/bin/sh
# Run each cmocka program, JOBS at a time (2 a CPU: most of them wait for real time); print what it says and, last, the
# sum.  They share the machine with each other and with others: one that fails is run once more, alone, and marked
# UNSTEADY; what is wrong fails again.
# Closing line: "N passed, N failed, N skipped".
: "${JOBS:=$(($(nproc) * 2))}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The programs by number, so that what they say is shown in their order.
i=1000
for t; do
	i=$((i + 1))
	echo "$i $t"
done >"$work/programs"
xargs -P "$JOBS" -n 2 sh -c '"$2" >"$0/$1.out" 2>&1 </dev/null; echo $? >"$0/$1.rc"' "$work" <"$work/programs"

pass=0 fail=0 skip=0
while read -r i t; do
	out=$work/$i.out
	rc=$(cat "$work/$i.rc" 2>/dev/null || echo 1)
	if [ "$rc" -ne 0 ]; then
		cat "$out"
		printf '  %-7s%s: once more\n' UNSTEADY "${t##*/unit/}"
		"$t" >"$out" 2>&1 </dev/null
		rc=$?
	fi
	p=$(grep -c '^\[       OK \]' "$out")
	f=$(grep -c '^\[  FAILED  \] [a-z_0-9]*$' "$out")
	s=$(grep -c '^\[  SKIPPED \] [a-z_0-9]*$' "$out")
	[ "$rc" -ne 0 ] && [ "$f" -eq 0 ] && f=1
	if [ "$f" -gt 0 ] || [ -n "$V" ]; then cat "$out"; fi
	printf '  %-7s%-56s %s passed, %s failed, %s skipped\n' UNIT "${t##*/unit/}" "$p" "$f" "$s"
	pass=$((pass + p)) fail=$((fail + f)) skip=$((skip + s))
done <"$work/programs"
echo "$pass passed, $fail failed, $skip skipped"
[ "$fail" -eq 0 ] && [ "$pass" -gt 0 ]
