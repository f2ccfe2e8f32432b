# guest_console.sh TTY: asks the firmware which build it is, as any program does.
exec 3<>"$1"
stty raw -echo <&3
# What it said before that was echoed to it: the first line ends that.
printf '\nAT+XBUILD?\n' >&3
while read -r line <&3; do
  echo "$line"
  case $line in OK*) exit 0 ;; esac
done
exit 1
