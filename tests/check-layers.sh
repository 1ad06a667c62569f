#!/bin/sh
# check-layers.sh BUILD: fail when the house is not what docs/architecture.md says of it.  It knows folders, no files.
#   - includes go one way: into the rooms that `row` allows, in no circle of modules and in none of folders
#   - what lies under a core/ does no I/O: by its headers, and by the symbols of its objects in BUILD
#   - a header NAME_priv.h is included by its own folder only; a header compiles alone (make lint)
#   - no folder has more than 15 modules, no file more than 400 lines
# Needs only sh, awk, nm and tsort.
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
# complain SENTENCE: with each line of standard input.  A pipeline's end is a process of its own, so the verdict is a file.
complain() {
	sed "s|\$|: $1|" >>"$work/complaints"
}
sources=$(find lib kube controller agent bpf -name '*.[ch]' | sort)

# FILE FOLDER INCLUDED FOLDER: every include of ours; what is generated (no such file) is left out.
grep -oE '^#include "[^"]+"' $sources | sed -E 's/^([^:]+):#include "(.*)"/\1 \2/' |
	awk '{ from = to = ""; if ((getline line < $2) < 0) next; close($2)
	       from = $1; sub(/\/[^\/]*$/, "", from); to = $2; sub(/\/[^\/]*$/, "", to)
	       print $1, from, $2, to }' >"$work/includes"
[ -s "$work/includes" ] || { echo "no include found: is this the top of the tree?" >&2; exit 1; }

# Which rooms a room may include.  A core includes cores.
row() {
	case $1 in
	bpf*) echo 'bpf' ;;
	lib/core*) echo 'lib/core' ;;
	lib*) echo 'lib' ;;
	kube/core*) echo 'kube/core lib/core' ;;
	kube*) echo 'kube lib' ;;
	controller/core*) echo 'controller/core kube/core lib/core' ;;
	controller*) echo 'controller kube lib' ;;
	agent/core*) echo 'agent/core lib/core bpf' ;;
	agent*) echo 'agent lib bpf' ;;
	esac
}
cut -d' ' -f2 "$work/includes" | sort -u | while read -r room; do
	row "$room" | sed "s|^|$room |"
done >"$work/rows"
awk 'NR == FNR { for (i = 2; i <= NF; i++) may[$1] = may[$1] " " $i; next }
     { n = split(may[$2], room, " "); good = 0
       for (i = 1; i <= n; i++) good = good || index($4 "/", room[i] "/") == 1
       if (!good) print $1 " includes " $3 }' "$work/rows" "$work/includes" |
	complain 'its room may not'

# Modules: x.h and x.c are one, and so is a folder'"'"'s family around x_priv.h.
awk '$3 ~ /_priv\.h$/ && $2 != $4 { print $1 " includes " $3 }' "$work/includes" |
	complain 'it is private to its folder'
awk 'function module(f) { sub(/\.[ch]$/, "", f); return (f in family) ? family[f] : f }
     NR == FNR { if ($3 ~ /_priv\.h$/) { f = $1; p = $3; sub(/\.[ch]$/, "", f); sub(/_priv\.h$/, "", p)
                 if ($2 == $4) family[f] = p; family[p "_priv"] = p }; next }
     { a = module($1); b = module($3); if (a != b) print a, b }' "$work/includes" "$work/includes" |
	sort -u | tsort 2>&1 >/dev/null | sed -n 's/^tsort: \([a-z].*\/.*\)/\1/p' |
	complain 'a circle of modules'
awk '$2 != $4 { print $2, $4 }' "$work/includes" | sort -u | tsort 2>&1 >/dev/null |
	sed -n 's/^tsort: \([a-z].*\/.*\)/\1/p' | complain 'a circle of folders'

# No I/O under core/: neither by header nor by symbol.
core=$(echo "$sources" | grep '/core/')
grep -HnE '^#include <(uv\.h|curl/|libwebsockets|bpf/|sys/(socket|mman|epoll|inotify)|unistd|fcntl|pthread|stdio_ext)' $core |
	complain 'no I/O in a core'
echo "$sources" | sed -n "s|^\(.*\)\.c\$|$build/\1.o|p" | xargs ls 2>/dev/null >"$work/all"
grep '/core/' "$work/all" >"$work/objects"
if [ -s "$work/objects" ]; then
	xargs nm -A -u <"$work/objects" | awk '{ sub(/:.*/, "", $1); print $1, $NF }' >"$work/wanted"
	xargs nm -A --defined-only -g <"$work/all" | awk '{ sub(/:.*/, "", $1); print $1, $NF }' >"$work/defined"
	awk 'NR == FNR { where[$2] = $1; next }
	     ($2 in where) && where[$2] !~ /\/core\// { print $1 " calls " $2 "() of " where[$2] }' "$work/defined" "$work/wanted" |
		complain 'it is no core'
	awk '$2 ~ /^(open|openat|creat|read|write|pread|pwrite|readv|writev|fopen|fdopen|freopen|popen|system|fork|vfork|execve?|execvp|socket|connect|bind|listen|accept4?|send|sendto|sendmsg|recv|recvfrom|recvmsg|poll|ppoll|select|epoll_.*|ioctl|stat|lstat|fstat|fstatat|statx?|access|unlink|unlinkat|rename|renameat|mkdir|opendir|readdir|mmap|munmap|syscall|time|gettimeofday|clock_gettime|sleep|usleep|nanosleep|rand|random|getrandom|getentropy|arc4random.*|getenv|secure_getenv|getpid|gethostname|uname|sysconf|signal|sigaction|kill|uv_.*|curl_.*|lws_.*|bpf_.*|perf_.*|RAND_.*)$/ { print $1 " calls " $2 "()" }' "$work/wanted" |
		complain 'no I/O in a core'
else
	echo "$build" | complain 'holds no objects of a core; build first'
fi

echo "$sources" | grep '\.c$' | sed 's|/[^/]*$||' | sort | uniq -c | awk '$1 > 15 { print $2 ": " $1 " modules" }' |
	complain 'a folder has fifteen at most'
wc -l $(git ls-files '*.[ch]' '*.py' '*.sh' 2>/dev/null || echo "$sources") | awk '$2 != "total" && $1 > 400 { print $2 ": " $1 " lines" }' |
	complain 'a file has four hundred at most'
cat "$work/complaints" >&2
[ ! -s "$work/complaints" ]
