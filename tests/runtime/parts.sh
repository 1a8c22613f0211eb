#!/bin/sh
# What the tests on real parts need: Kafka's jars in .parts/kafka, a redis-server, Chromium, PostgreSQL, and a C compiler
# for `make native`. Says in one line what is missing.
set -eu
cd "$(dirname "$0")/../.."

missing() {
    echo "the tests need $1" >&2
    exit 1
}

command -v setpriv >/dev/null || missing "setpriv, of util-linux 2.33 or newer"
command -v java >/dev/null || missing "Java 17 or newer; install a JDK (Debian: openjdk-17-jdk-headless)"
java=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
[ "${java:-0}" -ge 17 ] || missing "Java 17 or newer; \`java\` is version ${java:-unknown}"

# installed PACKAGE WHAT: from Debian's packages, where this may be done here.
installed() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || missing "$2; install it (Debian: $1)"
    echo "installing $1"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$1"; } >/dev/null 2>&1 ||
        missing "$2, which apt-get could not install (Debian: $1)"
}

command -v redis-server >/dev/null || installed redis-server "redis-server 7 or newer"
[ -x /usr/bin/chromium ] || installed chromium "Chromium at /usr/bin/chromium"
# Debian keeps PostgreSQL's server programs off the path.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null ||
    installed postgresql "PostgreSQL 13 or newer"

command -v cc >/dev/null || command -v gcc >/dev/null || installed gcc "a C compiler"
# Of the interpreter in .venv, whichever that is.
headers=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
[ -f "$headers/Python.h" ] || installed python3-dev "the headers of Python in $headers"
[ -f "$headers/Python.h" ] || missing "the headers of Python, $headers/Python.h"

wanted=$(cksum <tests/runtime/pom.xml)
if [ "$(cat .parts/kafka/.copied 2>/dev/null)" != "$wanted" ]; then
    command -v mvn >/dev/null || missing "Maven, which fetches Kafka; install it (Debian: maven)"
    echo "fetching Kafka"
    rm -rf .parts/kafka
    mvn -q -B -ntp -f tests/runtime/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$PWD/.parts/kafka" || missing "Kafka's jars, which Maven could not fetch (see above)"
    echo "$wanted" >.parts/kafka/.copied
fi
