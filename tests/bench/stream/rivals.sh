#!/bin/sh
# What the rivals need: the Java program and its jars in .parts/kafka-streams, Quix Streams in .parts/quix.
set -eu
cd "$(dirname "$0")/../../.."
here=tests/bench/stream

wanted=$(cat $here/kafka-streams/pom.xml $here/kafka-streams/src/main/java/bench/*.java | cksum)
if [ "$(cat .parts/kafka-streams/.built 2>/dev/null)" != "$wanted" ]; then
    echo "building the Kafka Streams program"
    rm -rf .parts/kafka-streams
    mkdir -p .parts/kafka-streams
    cp -r $here/kafka-streams .parts/kafka-streams/source
    mvn -q -B -ntp -f .parts/kafka-streams/source/pom.xml package dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$PWD/.parts/kafka-streams"
    cp .parts/kafka-streams/source/target/window-1.jar .parts/kafka-streams/
    echo "$wanted" >.parts/kafka-streams/.built
fi

wanted=$(cksum <$here/quix.txt)
if [ "$(cat .parts/quix/.built 2>/dev/null)" != "$wanted" ]; then
    echo "installing Quix Streams"
    rm -rf .parts/quix
    ${PYTHON:-/usr/bin/python3} -m venv .parts/quix
    .parts/quix/bin/pip install --quiet --disable-pip-version-check -r $here/quix.txt
    echo "$wanted" >.parts/quix/.built
fi
