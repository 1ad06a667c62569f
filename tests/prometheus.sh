#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# prometheus.sh: print the directory of Debian's prometheus and promtool, unpacked into the cache if they are not there.  Not
# installed: an installed package starts a server.  Fails where the package cannot be had.
set -eu
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rubato-e2e
if ! [ -x "$cache/prometheus/usr/bin/promtool" ]; then
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/prometheus.XXXXXX")
	trap 'rm -rf "$work"' EXIT INT TERM
	(cd "$work" && apt-get download -q prometheus && dpkg -x prometheus_*.deb tree) >&2
	mv "$work/tree" "$cache/prometheus"
fi
echo "$cache/prometheus/usr/bin"
