#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make-certs.sh DIR CONTROLLER [NODE...]: the certificates of a fleet without a cluster.
#
#	ca.crt ca.key			signs the rest; made once, kept after that
#	controller.crt controller.key	for CONTROLLER (a host name or an IP address) and this machine
#	NODE.crt NODE.key		one per agent; the name in it is the node's name in the manifests
#
# Run it again with more nodes to add them.  Keep ca.key away from the machines that run agents.
set -eu
umask 077

usage() {
	sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

# key_and_cert NAME SUBJECT EXTENSIONS: make NAME.key and NAME.crt, signed by the CA.
key_and_cert() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
	openssl req -new -key "$1.key" -subj "/O=rubato/CN=$2" -out "$work/csr"
	printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' "$3" \
		>"$work/ext"
	openssl x509 -req -in "$work/csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" \
		-days 825 -sha256 -extfile "$work/ext" -out "$1.crt" 2>"$work/log" || {
		cat "$work/log" >&2
		exit 1
	}
}

[ $# -ge 2 ] || usage
dir=$1 controller=$2
shift 2
mkdir -p "$dir"
cd "$dir"
for node; do
	case $node in
	ca | controller | */* | -* | .* | *[!-a-z0-9.]*)
		echo "make-certs.sh: $node cannot be a node's name here" >&2
		exit 2
		;;
	esac
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

if ! [ -s ca.crt ] || ! [ -s ca.key ]; then
	openssl ecparam -name prime256v1 -genkey -noout -out ca.key
	openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/O=rubato/CN=rubato fleet CA" \
		-addext 'basicConstraints=critical,CA:TRUE,pathlen:0' \
		-addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.crt
fi
case $controller in
*:*) san="IP:$controller" ;;
*[!0-9.]*) san="DNS:$controller" ;;
*) san="IP:$controller" ;;
esac
key_and_cert controller "$controller" \
	"extendedKeyUsage=serverAuth
subjectAltName=$san,DNS:localhost,IP:127.0.0.1,IP:::1"
for node; do
	key_and_cert "$node" "$node" \
		"extendedKeyUsage=clientAuth
subjectAltName=DNS:$node"
done
chmod 644 ./*.crt
