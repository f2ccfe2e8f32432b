#!/bin/sh
# The guest's first process: makes a system of it, runs /test.sh, and turns it off. Read by guest_image.py.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir /run/lock
exec </dev/console >/dev/console 2>&1
/lib/systemd/systemd-udevd --daemon
for module in usb-common usbcore cdc-acm xhci-hcd xhci-pci; do
  # What QEMU's xHCI does not answer is given up after 0.5 s, not 5 s, for the machine's time is short.
  [ $module = usbcore ] && parameter=initial_descriptor_timeout=500 || parameter=
  insmod /lib/modules/$module.ko $parameter || echo "@@ insmod-$module rc=$?"
done
. /test.sh
echo "@@ DONE"
poweroff -f
