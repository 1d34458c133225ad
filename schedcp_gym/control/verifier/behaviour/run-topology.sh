#!/bin/sh
# The guest's side of the behaviour stage on a machine with a topology: the battery of the image finds its programs
# beside itself, so what lies there becomes a folder of links: to the image's own, and to the one program of all cases
# that travel with the job. Then it goes on as on any machine.
set -eu
BATTERY=/usr/lib/schedcp/battery
mkdir /tmp/image /tmp/battery
mount --bind "$BATTERY" /tmp/image
ln -s /tmp/image/* /tmp/battery
for name in $(cat /job/topology-cases); do
	ln -s /job/topology-battery "/tmp/battery/$name"
done
mount --bind /tmp/battery "$BATTERY"
exec sh /job/run-battery
