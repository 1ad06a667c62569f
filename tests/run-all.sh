#!/bin/bash
# Everything CI runs, stage by stage: each prints its own closing line, and the last line of all is their
# sum, "N passed, N failed, N skipped".  A stage without a count of its own counts as one check.
# STAGES="check e2e" runs only those; RUNS bounds the fuzz targets; with BUDGET=SECONDS a stage that may wait is skipped, and
# counted so, when there is no time left for it.
cd "$(dirname "$0")/.." || exit 1
: "${STAGES:=build lint check sanitizers fuzz e2e cluster newcomer debian13 backends}" "${RUNS:=3000}"
jobs=$(nproc)
passed=0 failed=0 skipped=0 budget=${BUDGET:-0}
log=$(mktemp)
builds=
trap '[ -z "$builds" ] || kill -- -"$builds" 2>/dev/null; rm -f "$log" "$log.builds"' EXIT
trap 'exit 130' INT TERM

# A cluster's programs take half an hour of CPU time where no cache has them: built meanwhile, by what the stages leave idle.
case " $STAGES " in *" e2e "* | *" cluster "*)
	PYTHONPATH=e2e setsid chrt -i 0 nice -n 19 python3 -B -m rubato.tools >"$log.builds" 2>&1 </dev/null &
	builds=$!
	;;
esac

# stage NAME SECONDS COMMAND...: run it, show what it says, add its count.
stage() {
	local name=$1 limit=$2 began=$SECONDS status line p=0 f=0 s=0
	shift 2
	case " $STAGES " in *" $name "*) ;; *) return ;; esac
	echo "== $name"
	timeout --foreground -k 30 "$limit" "$@" </dev/null 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -1)
	if [ -n "$line" ]; then
		read -r p f s < <(echo "$line" | sed -E 's/ (passed|failed|skipped),?//g')
	elif [ "$status" -eq 0 ]; then
		p=1
	fi
	# A stage that fails without a failed check (it did not build, it ran out of time) is one.
	[ "$status" -ne 0 ] && [ "$f" -eq 0 ] && f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
	echo "== $name: $p passed, $f failed, ${s:-0} skipped ($((SECONDS - began)) s)"
}

# stage_if_time NAME SECONDS NEEDS COMMAND...: the same, if there are so many seconds left.
stage_if_time() {
	local name=$1 limit=$2 needs=$3
	shift 3
	case " $STAGES " in *" $name "*) ;; *) return ;; esac
	if [ "$budget" -gt 0 ] && [ $((SECONDS + needs)) -gt "$budget" ]; then
		skipped=$((skipped + 1))
		echo "== $name: skipped: it needs about $needs s, and $((budget - SECONDS)) s of BUDGET are left; try: make test STAGES=$name"
		return
	fi
	stage "$name" "$limit" "$@"
}

stage build 600 make -j"$jobs" all tools
stage lint 900 make -j"$jobs" lint
stage check 600 make -j"$jobs" check
stage sanitizers 1200 make -j"$jobs" SANITIZE=address,undefined B=build-san all check
stage fuzz 900 make -j"$jobs" fuzz RUNS="$RUNS"
stage e2e 2700 make e2e # a first run builds the API server, too
stage_if_time cluster 1500 720 make e2e-cluster # a first run builds kubelet, helm and the like, too
stage_if_time newcomer 1500 180 make e2e-newcomer
stage_if_time debian13 1200 240 make e2e-images E2E=--again
stage_if_time backends 1200 600 make e2e E2E=sinks_real # a first run builds Parca and Pyroscope

[ -z "$builds" ] || cat "$log.builds"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
