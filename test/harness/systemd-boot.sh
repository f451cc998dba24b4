#!/bin/sh
# Boots systemd in namespaces of its own (SystemdHost). Everything of the machine is read-only before anything starts:
# what is written goes to memory, and no unit of the machine is there to be started.
set -e
keep=$(mktemp -d /dev/shm/lateen-etc.XXXXXX)
for name in passwd group hosts nsswitch.conf ld.so.cache; do
  if [ -e "/etc/$name" ]; then cp "/etc/$name" "$keep/"; fi
done
mount --make-rprivate /
mount -o remount,bind,ro /
for place in /etc /run /tmp /var/tmp /var/lib /var/log /usr/lib/systemd/system; do
  mount -t tmpfs tmpfs "$place"
done
cp "$keep"/* /etc/
rm -r "$keep"
mkdir -p /etc/systemd/system /run/lock
: >/etc/machine-id
for target in sysinit basic multi-user network-online shutdown umount final; do
  printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" >"/usr/lib/systemd/system/$target.target"
done
ip link set lo up
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
if [ "$1" = cgroup2 ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
  umount -R /sys/fs/cgroup
  mount -t tmpfs tmpfs /sys/fs/cgroup
  mkdir /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
  mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
  mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
fi
mount -o remount,bind,ro /sys
export container=lateen SYSTEMD_GENERATOR_PATH=
exec /lib/systemd/systemd --system --unit=multi-user.target --log-level=info --log-target=console --show-status=0
