#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# collect.sh PROGRAM DIR: lay out in DIR what an image of PROGRAM holds: the program, and exactly the files that it loads.
# Runs in the Debian that it was built in; everything bears the time SOURCE_DATE_EPOCH (1970 without it).
set -eu
program=$1 top=$2
multiarch=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
event_loop=$multiarch/libwebsockets-evlib_uv.so # opened at run time: the linker does not know of it
umask 022
mkdir -p "$top/usr/bin" "$top/usr/lib" "$top/usr/lib64"
ln -s usr/lib "$top/lib"
ln -s usr/lib64 "$top/lib64"

cp "$program" "$top/usr/bin/"
strip --strip-debug "$top/usr/bin/${program##*/}" # names stay: it profiles itself, too
files=$(ldd "$program" "$event_loop" | sed -n 's,.*[[:space:]]\(/[^ ]*\) (0x.*,\1,p' | sort -u)
# Who may vouch for a backend; the controller is told its authorities.
case $program in *-agent) files="$files /etc/ssl/certs/ca-certificates.crt" ;; esac
for file in $files "$event_loop"; do
	mkdir -p "$top${file%/*}"
	cp -L "$file" "$top$file"
done
find "$top" -exec chmod go-w,a+rX {} + -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
