#!/bin/sh
# What the tests on real parts need: Kafka's jars in .parts/kafka and a redis-server. Says in one line what is missing.
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

if ! command -v redis-server >/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || missing "redis-server 7 or newer; install it (Debian: redis-server)"
    echo "installing redis-server"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends redis-server >/dev/null 2>&1 ||
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server; } >/dev/null 2>&1 ||
        missing "redis-server 7 or newer, which apt-get could not install"
fi

wanted=$(cksum <tests/runtime/pom.xml)
if [ "$(cat .parts/kafka/.copied 2>/dev/null)" != "$wanted" ]; then
    command -v mvn >/dev/null || missing "Maven, which fetches Kafka; install it (Debian: maven)"
    echo "fetching Kafka"
    rm -rf .parts/kafka
    mvn -q -B -ntp -f tests/runtime/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$PWD/.parts/kafka" || missing "Kafka's jars, which Maven could not fetch (see above)"
    echo "$wanted" >.parts/kafka/.copied
fi
