# What the guest does with the boards. Each step tells how it ended ("@@ NAME rc=N") and what it said ("@out NAME: ...");
# vm_usb_test.py knows what is expected. "@@ host COMMAND" asks for the bench's hands, and gets a line when it is done.
RETURN=$(printf '\r')
step() {  # name, command...
  local name=$1 code; shift
  timeout 30 "$@" >/tmp/said 2>&1
  code=$?
  sed "s/.*$RETURN//; s/^/@out $name: /" /tmp/said  # of what was written over itself, the last
  echo "@@ $name rc=$code"
}
# Waits for what udev makes of a board: /dev/unit/<serial>-<product id>, and a console's link.
present() { step "$1" udevadm wait --timeout=20 "$2"; }
absent() { step "$1" udevadm wait --removed --timeout=20 "$2"; }
host() { echo "@@ host $*"; read -r answer; [ "$answer" = done ] || echo "@@ host-$1 rc=1"; }
flash() { step "$1" hilmark flash --lab "/$2.yaml" --unit "$3" "$4"; }
dfu_util() { local name=$1; shift; step "$name" dfu-util -E 3 -d 0483:5740,0483:df11 -S V0001 -a 0 "$@"; }
console() { step "$1" sh /console.sh "$TTY"; }
TTY=/dev/serial/by-id/usb-hilmark_Virtual_board_V0001-if00

present bootloader /dev/unit/V0001-df11
present plain-bootloader /dev/unit/V0002-0d0f
present bootsel /dev/unit/V0003-0003
present bad-descriptor /dev/unit/V0004-df11
step lsusb lsusb
step dfu-list dfu-util -l
step scan hilmark boards scan

# Each writes, and dfu-util reads back what each has written.
dfu_util dfu-write -s 0x08000000 -D /pattern
dfu_util dfu-read -s 0x08000000:65536 -U /tmp/pattern
step dfu-same cmp /pattern /tmp/pattern
flash flash lab one /image
dfu_util read-after-flash -s "0x08000000:$IMAGE_BYTES" -U /tmp/image
step same-after-flash cmp /image /tmp/image
dfu_util dfu-leave -s 0x08000000:leave -D /image
present application "$TTY"

# The console, by the kernel's driver: a program's own, then hilmark's, which goes to the bootloader and back between.
console console
flash flash-tty lab_tty one /image
present tty-again "$TTY"
step usb-reset usbreset 0483:5740
# The kernel has taken its tty away and made it anew; udev may not have heard of either yet.
step reset-settled udevadm settle --timeout=20
present tty-after-reset "$TTY"
console console-after-reset

# Plugging.
host unplug 1-1
absent unplugged "$TTY"
host plug 1-1
present plugged "$TTY"
console console-after-plug

# The cable goes in the middle of a download.
host faults 1-1 unplug-at=40
flash flash-unplugged lab one /image
absent gone /dev/unit/V0001-df11
host plug 1-1
present torn /dev/unit/V0001-df11
dfu_util dfu-unplugged -s 0x08000000 -D /image
absent gone-again /dev/unit/V0001-df11
host faults 1-1
host plug 1-1
present back /dev/unit/V0001-df11
flash flash-back lab one /image
present kernels-driver-again "$TTY"
console console-after-libusb

# Plain DFU: a bus reset leads to the bootloader and back. Then bulk transfers, with PICOBOOT.
flash plain-flash lab two /image.plain_dfu
step plain-read dfu-util -E 3 -d 1209:0d0e,1209:0d0f -S V0002 -a 0 -U /tmp/plain
step plain-same cmp -n "$PLAIN_BYTES" /image.plain_dfu /tmp/plain
flash pico-flash lab three /image.rp2040
flash pico-flash-again lab three /image.rp2040

dmesg | grep -E 'usb|cdc_acm|xhci' | sed 's/^/@log /'
