#!/usr/bin/python3
"""`hilmark provision` on the virtual lab: what a unit is given, what the cloud knows after, and whose fault it is if it fails."""

import hashlib
import json
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import unittest

import cloud
import lab

GOLDEN, NO_SNI, NEVER_CONNECTS = (lab.IMAGES / f"{name}.img" for name in ("golden", "no-sni", "never-connects"))
ACCOUNT_1, ACCOUNT_2 = "111111111111", "222222222222"
DONE, DEVICE, USAGE = 0, 1, 2


def certificate_id(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def certificates_in(path):
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pathlib.Path(path).read_text(), re.S)


class Desk:
    """A folder with a cloud's state and what is provisioned there."""

    def __init__(self, lab_file, folder):
        self.lab_file, self.out, self.state = lab_file, folder / "out", folder / "cloud.db"

    def command(self, unit, account, mode, *words):
        return lab.hilmark("provision", "--lab", self.lab_file, "--unit", unit, "--account", account, "--mode", mode, "--out", self.out,
                           "--state", self.state, "--json", *words)

    def provision(self, *words):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=120, check=False)
        return {"status": done.returncode, "said": done.stderr, "told": json.loads(done.stdout) if done.returncode == 0 else None}

    def at_once(self, units, folder):
        """All of them into one folder that has no CA yet."""
        started = [subprocess.Popen(lab.hilmark("provision", "--lab", self.lab_file, "--unit", unit, "--account", ACCOUNT_1, "--mode", "DEFAULT",
                                                "--out", folder), stderr=subprocess.PIPE, text=True) for unit in units]
        return [(process.communicate(timeout=120)[1], process.returncode) for process in started]

    def flash(self, unit, image):
        subprocess.run(lab.hilmark("flash", "--lab", self.lab_file, "--unit", unit, image), capture_output=True, check=True)

    def interrupted(self, *words):
        """SIGINT once the unit has its identity."""
        log = self.out / words[0] / "events.jsonl"
        known = len(log.read_text().splitlines())
        process = subprocess.Popen(self.command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for number, event in enumerate(lab.follow(log, process)):
            if number >= known and event["kind"] == "set_endpoint":
                process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
        return {"status": process.returncode, "said": said, "left": list(lab.processes_with(str(self.out)))}


def among_the_boards(lab_file, folder):
    desk = Desk(lab_file, pathlib.Path(folder))
    seen = {}
    seen["empty"] = desk.provision("virtual-2", ACCOUNT_1, "DEFAULT")
    for unit in ("virtual-1", "virtual-2"):
        desk.flash(unit, GOLDEN)
    seen["first"] = desk.provision("virtual-1", ACCOUNT_1, "DEFAULT")
    seen["second"] = desk.provision("virtual-2", ACCOUNT_1, "DEFAULT", "--client-id", "lamp-2")
    seen["proof_elsewhere"] = desk.provision("virtual-1", ACCOUNT_2, "DEFAULT")
    seen["moved"] = desk.provision("virtual-1", ACCOUNT_2, "SNI_ONLY", "--region", "us-east-1")
    seen["other_mode"] = desk.provision("virtual-1", ACCOUNT_2, "DEFAULT")
    desk.flash("virtual-2", NO_SNI)
    seen["no_sni_default"] = desk.provision("virtual-2", ACCOUNT_1, "DEFAULT")
    seen["no_sni"] = desk.provision("virtual-2", ACCOUNT_2, "SNI_ONLY")
    desk.flash("virtual-2", NEVER_CONNECTS)
    seen["interrupted"] = desk.interrupted("virtual-2", ACCOUNT_2, "SNI_ONLY")
    for unit in ("virtual-1", "virtual-2"):
        desk.flash(unit, GOLDEN)
    seen["at_once"] = desk.at_once(("virtual-1", "virtual-2"), pathlib.Path(folder) / "at-once")
    (pathlib.Path(folder) / "seen.json").write_text(json.dumps(seen))


class Provision(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = lab.temporary_folder()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.lab = lab.lab_file(cls.folder)
        inside = [sys.executable, __file__, "--among-the-boards", cls.lab, cls.folder]
        done = subprocess.run(lab.on_the_lab(*inside, lab=cls.lab), capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        cls.seen = json.loads((cls.folder / "seen.json").read_text())
        cls.out = cls.folder / "out"

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_unit_is_served_with_a_certificate_of_the_ca(self):
        for name, unit in (("first", "virtual-1"), ("second", "virtual-2"), ("moved", "virtual-1")):
            done = self.seen[name]
            self.assertEqual(done["status"], DONE, done["said"])
            self.assertEqual(done["told"]["unit"], unit)
            self.assertRegex(done["said"], f"{unit}: told the endpoint {done['told']['endpoint']}, it was served by account {done['told']['account']} in us-east-1")
        self.assertEqual(self.seen["second"]["told"]["client_id"], "lamp-2")
        told = self.seen["moved"]["told"]
        self.assertEqual((told["account"], told["mode"], told["own_key"]), (ACCOUNT_2, "SNI_ONLY", True))
        leaf, issuer = certificates_in(self.out / "virtual-1" / "certificate.pem")
        self.assertEqual(certificate_id(leaf), told["certificate"])
        self.assertEqual(issuer, (self.out / "ca.pem").read_text())
        subprocess.run(["openssl", "verify", "-CAfile", self.out / "ca.pem", self.out / "virtual-1" / "certificate.pem"], check=True, capture_output=True)

    def test_secrets_are_the_owners_alone_and_in_no_log(self):
        self.assertEqual((self.out / "ca.key").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.state_mode(), 0o600)
        logs = [*self.out.glob("*/events.jsonl"), *self.out.glob("*/worker.log")]
        self.assertEqual(len(logs), 4)
        for log in logs:
            self.assertNotIn("PRIVATE KEY", log.read_text())

    def test_of_two_at_once_into_one_folder_both_have_its_ca(self):
        folder = self.folder / "at-once"
        for number, (said, status) in enumerate(self.seen["at_once"], 1):
            self.assertEqual(status, DONE, said)
            self.assertIn("--state FILE keeps one", said)
            subprocess.run(["openssl", "verify", "-CAfile", folder / "ca.pem", folder / f"virtual-{number}" / "certificate.pem"], check=True,
                           capture_output=True)

    def state_mode(self):
        return (self.folder / "cloud.db").stat().st_mode & 0o777

    def test_cloud_that_is_served_from_the_state_knows_ca_and_device(self):
        with cloud.Cloud("--state", self.folder / "cloud.db") as served:
            self.assertEqual(pathlib.Path(served.ready["root_ca"]).read_text(), (self.out / "virtual-1" / "root_ca.pem").read_text())
            ca_id = certificate_id((self.out / "ca.pem").read_text())
            for account, mode, provisioned in ((ACCOUNT_1, "DEFAULT", "first"), (ACCOUNT_2, "SNI_ONLY", "moved")):
                told = self.seen[provisioned]["told"]
                iot = served.client(account=account)
                self.assertEqual(iot.describe_ca_certificate(certificateId=ca_id)["certificateDescription"]["certificateMode"], mode)
                device = iot.describe_certificate(certificateId=told["certificate"])["certificateDescription"]
                self.assertEqual((device["status"], device["certificateMode"], device["caCertificateId"]), ("ACTIVE", mode, ca_id))
                self.assertEqual(served.endpoint(account), told["endpoint"])
                # The rig's own client, which proves the endpoint before a unit is blamed, leaves nothing behind.
                known = {each["certificateId"] for each in iot.list_certificates()["certificates"]}
                signed = {each["certificateId"] for each in iot.list_certificates_by_ca(caCertificateId=ca_id)["certificates"]}
                self.assertEqual(known, signed)

    def test_what_the_cloud_does_not_take_touches_no_unit(self):
        for name, said in (("proof_elsewhere", "account 222222222222 in us-east-1 does not take the CA in DEFAULT mode: ResourceAlreadyExistsException"),
                           ("other_mode", "account 222222222222 in us-east-1 has this CA in SNI_ONLY mode already")):
            self.assertEqual(self.seen[name]["status"], USAGE, self.seen[name])
            self.assertIn(said, self.seen[name]["said"])

    def test_device_that_is_not_served_is_told_why(self):
        self.assertEqual(self.seen["empty"]["status"], DEVICE, self.seen["empty"])
        self.assertIn("it does not start what its flash holds; flash it anew", self.seen["empty"]["said"])
        self.assertEqual(self.seen["no_sni_default"]["status"], DONE, self.seen["no_sni_default"])
        self.assertIn("virtual-2: warning: it sends no server name (SNI)", self.seen["no_sni_default"]["said"])
        self.assertNotIn("warning", self.seen["first"]["said"])
        self.assertEqual(self.seen["no_sni"]["status"], DEVICE, self.seen["no_sni"])
        self.assertRegex(self.seen["no_sni"]["said"],
                         r"virtual-2: it was not served as [0-9a-f]{64} by \S+, nor after a reset: it was refused: sni_missing")

    def test_ctrl_c_ends_it_and_leaves_nothing(self):
        done = self.seen["interrupted"]
        self.assertEqual(done["status"], 130, done)
        self.assertIn("unit virtual-2 may have half of an identity: provision it anew", done["said"])
        self.assertEqual(done["left"], [])

    def test_slips_are_told_before_anything_is_touched(self):
        folder = self.folder / "slips"
        folder.mkdir()
        other = cloud.Authority(folder)
        (folder / "text.pem").write_text("no key\n")
        (folder / "half").mkdir()
        (folder / "half" / "ca.pem").write_text("")
        cloud.openssl("pkey", "-in", other.key, "-aes128", "-passout", "pass:secret", "-out", str(folder / "locked.pem"))
        cloud.openssl("req", "-x509", "-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha512", "-pkeyopt",
                      "rsa_pss_keygen_mgf1_md:sha512", "-pkeyopt", "rsa_pss_keygen_saltlen:64", "-nodes", "-keyout", str(folder / "pss.key"), "-out",
                      str(folder / "pss.pem"), "-subj", "/CN=PSS", "-sha512")
        usual = ("--unit", "virtual-1", "--account", ACCOUNT_1, "--mode", "DEFAULT")
        script = []
        slips = (
            (("--unit", "virtual-9", *usual[2:]), r"no unit `virtual-9` in .*lab.yaml"),
            ((*usual[:4], "--mode", "sni"), r"--mode: .*DEFAULT"),
            ((*usual[:2], "--account", "12", *usual[4:]), "no account `12` in .*; it has 111111111111, 222222222222"),
            ((*usual, "--region", "mars-1"), "no region `mars-1` in .*; it has us-east-1, eu-west-1"),
            ((*usual, "--ca", other.certificate), "--ca requires --ca-key"),
            ((*usual, "--ca", other.certificate, "--ca-key", self.out / "ca.key"), "the private key is not that of the certificate"),
            ((*usual, "--ca", other.certificate, "--ca-key", folder / "text.pem"), "private key"),
            ((*usual, "--ca", folder / "none", "--ca-key", folder / "none"), "the CA's certificate: .*none"),
            ((*usual, "--state", folder / "text.pem"), "state file .*text.pem"),
            ((*usual, "--client-id", "x" * 65), "client id x+: expected at most 64 printable characters"),
            ((*usual, "--client-id", "two words"), "client id two words: expected"),
            ((*usual, "--ca", other.certificate, "--ca-key", folder / "locked.pem"), "under a pass phrase; take it out first"),
            ((*usual, "--ca", folder / "pss.pem", "--ca-key", folder / "pss.key"), "nothing can be signed with the CA's key"),
            ((*usual, "--out", folder / "half"), "ca.pem has no ca.key beside it; remove it, or name"),
        )
        for number, (words, _) in enumerate(slips):
            out = () if "--out" in words else ("--out", folder / f"out-{number}")
            command = lab.hilmark("provision", "--lab", self.lab, *out, *words)
            script.append(" ".join(f"'{word}'" for word in command) + f" 2> {folder}/said-{number}; echo $?")
        done = subprocess.run(lab.on_the_lab("sh", "-c", "; ".join(script), lab=self.lab), capture_output=True, text=True, timeout=120, check=False)
        statuses = done.stdout.split()
        self.assertEqual(len(statuses), len(slips), done.stderr)
        for number, (words, said) in enumerate(slips):
            with self.subTest(words):
                told = (folder / f"said-{number}").read_text()
                self.assertEqual(statuses[number], str(USAGE), told)
                self.assertRegex(told, said)
                events = folder / f"out-{number}" / "virtual-1" / "events.jsonl"
                self.assertNotIn('"source":"usb"', events.read_text() if events.exists() else "")

    def test_program_is_not_provisioned(self):
        done = subprocess.run(lab.hilmark("provision", "--lab", lab.lab_file(self.folder, lab.PROCESS_LAB), "--unit", "mosquitto-pub", "--account",
                                          ACCOUNT_1, "--mode", "DEFAULT", "--out", self.out), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertIn("is a program", done.stderr)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--among-the-boards"]:
        among_the_boards(*sys.argv[2:])
    else:
        unittest.main()
