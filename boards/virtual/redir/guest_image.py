"""What the virtual machine boots: Debian's own kernel, unpacked and never installed, and a small system in memory."""

import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DOWNLOAD_S = 150
MODULES = ("usb-common", "usbcore", "cdc-acm", "xhci-hcd", "xhci-pci")
APPLETS = ("sh mount mkdir insmod dmesg poweroff stty cmp tr grep sed timeout printf cat ls").split()
UDEV_RULES = ("50-udev-default.rules", "60-serial.rules")
OWN_RULE = 'SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ATTR{serial}=="V*", SYMLINK+="unit/$attr{serial}-$attr{idProduct}"\n'


class Unavailable(Exception):
    """The test cannot be run here; says what is missing."""


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/lib/systemd")
    if not path:
        raise Unavailable(f"there is no {name}; ./rig setup installs it")
    return pathlib.Path(path)


def kernel_package():
    """The package that linux-image-amd64 stands for today: its name changes with each security update."""
    listed = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=False)
    found = re.search(r"Depends: (linux-image-[0-9][^\s]*)", listed.stdout)
    if not found:
        raise Unavailable("apt-cache knows no linux-image-amd64: not Debian on amd64, or apt-get update was never run")
    return found[1]


def extract_vmlinux(boot_image):
    """The ELF file in a bzImage. Offsets: the kernel's Documentation/arch/x86/boot.rst."""
    setup_sectors = boot_image[0x1F1] or 4
    offset, size = struct.unpack_from("<II", boot_image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    try:
        vmlinux = lzma.LZMADecompressor().decompress(boot_image[start:start + size])
    except lzma.LZMAError as error:
        raise Unavailable(f"this kernel is packed otherwise than Debian 12's: {error}") from error
    if not vmlinux.startswith(b"\x7fELF"):
        raise Unavailable("this kernel is packed otherwise than Debian 12's: its payload is no ELF file")
    return vmlinux


def unpack_kernel(package_file, folder):
    wanted = {f"/{name}.ko": folder / f"{name}.ko" for name in MODULES}
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package_file], stdout=subprocess.PIPE) as unpacker:
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
            for member in archive:
                if re.search(r"/boot/vmlinuz-", member.name):
                    (folder / "vmlinux").write_bytes(extract_vmlinux(archive.extractfile(member).read()))
                target = wanted.pop("/" + member.name.rsplit("/", 1)[-1], None) if member.isfile() else None
                if target:
                    target.write_bytes(archive.extractfile(member).read())
                    subprocess.run(["strip", "--strip-debug", target], check=True)
    if wanted or not (folder / "vmlinux").exists():
        raise Unavailable(f"{package_file.name} lacks {', '.join(wanted) or 'a kernel'}")


def kernel():
    """The folder with vmlinux and the modules: kept for the next time, by the package's name."""
    package = kernel_package()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hilmark"
    ready = cache / package
    if (ready / "vmlinux").exists():
        return ready
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        folder = pathlib.Path(temporary)
        try:
            subprocess.run(["apt-get", "download", package], cwd=folder, timeout=DOWNLOAD_S, check=True,
                           capture_output=True, text=True)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = (error.stderr or "").strip().splitlines()[-1:] or [f"not there after {DOWNLOAD_S} s"]
            raise Unavailable(f"apt-get download {package}: {said[0]}") from error
        unpacked = folder / "unpacked"
        unpacked.mkdir()
        unpack_kernel(next(folder.glob("*.deb")), unpacked)
        try:
            unpacked.rename(ready)
        except OSError:  # another run was faster
            if not (ready / "vmlinux").exists():
                raise
    return ready


def libraries(binary):
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    return [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]


def make_initrd(target, kernel_folder, programs, files):
    """`programs`: paths on this machine, with the name that each gets in /bin; `files`: bytes by the path in the guest."""
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)

        def install(source, path, strip=False):
            place = root / path.lstrip("/")
            if place.exists():
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            if strip:
                subprocess.run(["strip", "--strip-debug", "-o", place, source], check=True)
            else:
                shutil.copy(source, place)

        for folder in ("dev", "proc", "sys", "run", "tmp", "lib/systemd", "lib/udev", "etc/udev"):
            (root / folder).mkdir(parents=True)
        install(program("busybox"), "/bin/busybox")
        for applet in APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        udevadm = program("udevadm")
        (root / "lib/systemd/systemd-udevd").symlink_to("/bin/udevadm")
        for source, name in [*programs, (udevadm, "udevadm")]:
            install(source, f"/bin/{name}", strip=True)
            for library in libraries(source):
                install(library, str(library))
        for rules in UDEV_RULES:
            install(pathlib.Path("/lib/udev/rules.d") / rules, f"/lib/udev/rules.d/{rules}")
        for name in ("group", "passwd"):
            install(f"/etc/{name}", f"/etc/{name}")
        for name in MODULES:
            install(kernel_folder / f"{name}.ko", f"/lib/modules/{name}.ko")
        install(HERE / "guest_init.sh", "/init")
        install(HERE / "guest_console.sh", "/console.sh")
        (root / "init").chmod(0o755)
        contents = {"/lib/udev/rules.d/70-unit.rules": OWN_RULE.encode(), **files}
        for path, content in contents.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        names = "\0".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        with open(target, "wb") as archive:
            subprocess.run(["cpio", "--null", "--create", "--format=newc", "--quiet"], cwd=root, input=names.encode(),
                           stdout=archive, check=True)
