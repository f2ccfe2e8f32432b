"""What --config switches on, seen by real clients; and a state file whose disk is full."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from cloud import ACCOUNTS, Authority, Cloud, in_a_world_of_its_own, lead

A = next(iter(ACCOUNTS))
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})
LIMIT_S = 20
STRANGER = "no-such-endpoint-ats.iot.us-east-1.amazonaws.com"


class Switches(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hilmark-switches-")))
        self.authority = Authority(self.folder)
        self.pem, self.certificate, self.key = self.authority.sign("lamp")

    def start(self, switches="", *arguments):
        config = self.folder / "cloud.yaml"
        config.write_text(f"version: 1\nrules: {{{switches}}}\n")
        cloud = self.enterContext(Cloud("--config", config, *arguments))
        lead(cloud.endpoint(A), STRANGER)
        return cloud

    def register(self, cloud):
        """The CA in DEFAULT mode, and its leaf ACTIVE and allowed everything."""
        client = cloud.client()
        code = client.get_registration_code()["registrationCode"]
        client.create_policy(policyName="devices", policyDocument=POLICY)
        client.register_ca_certificate(caCertificate=self.authority.pem, setAsActive=True,
                                       verificationCertificate=self.authority.proof(code))
        made = client.register_certificate(certificatePem=self.pem, caCertificatePem=self.authority.pem, status="ACTIVE")
        client.attach_policy(policyName="devices", target=made["certificateArn"])

    def publish(self, cloud, *arguments, name=None):
        return subprocess.run(["mosquitto_pub", "-h", name or cloud.endpoint(A), "-p", str(cloud.mqtt_port()), "--cafile",
                               cloud.ready["root_ca"], "--cert", self.certificate, "--key", self.key, "-i", "lamp", "-q", "1",
                               "-t", "lamps/1", *(arguments or ["-m", "hello"])], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)

    def shake_hands(self, cloud, name, *arguments):
        """What openssl's own client says of a handshake under `name`."""
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{cloud.mqtt_port()}", "-cert", self.certificate,
                               "-key", self.key, *(["-servername", name] if name else ["-noservername"]), *arguments],
                              input="", capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return done.stdout + done.stderr

    def test_a_name_that_nobody_has_is_refused_unless_the_switch_says_lenient(self):
        for switches, served in (("", False), ("sni: lenient", True)):
            with self.subTest(switches=switches):
                cloud = self.start(switches)
                self.register(cloud)
                self.assertEqual(self.publish(cloud).returncode, 0, cloud.told())
                told = self.publish(cloud, "-m", "hello", "--insecure", name=STRANGER)
                self.assertEqual(told.returncode == 0, served, cloud.told())
                self.assertIn("sni_unknown" if not served else "served", cloud.told())

    def test_refusals_are_closes_unless_the_switch_says_alert(self):
        for switches, alert in (("", False), ("refuse: alert", True)):
            with self.subTest(switches=switches):
                told = self.shake_hands(self.start(switches), STRANGER, "-tls1_2")
                self.assertEqual("unrecognized name" in told, alert, told)
                self.assertEqual("Verify return code" in told and "New, TLSv1.2" in told, not alert, told)

    def test_route_by_certificate_finds_the_one_account_that_has_it(self):
        for switches, served in (("", False), ("sni: route-by-certificate", True)):
            with self.subTest(switches=switches):
                cloud = self.start(switches)
                self.register(cloud)
                other = cloud.endpoint("222222222222")
                lead(other)
                told = self.publish(cloud, name=other)
                self.assertEqual(told.returncode == 0, served, cloud.told())
                self.assertIn("not_in_account" if not served else "routed_by_certificate", cloud.told())

    def test_rate_limits_hold_only_where_they_are_switched_on(self):
        many = "\n".join(str(number) for number in range(400))
        for switches, limited in (("", False), ("rate_limits: on", True)):
            with self.subTest(switches=switches):
                events = self.folder / f"events-{limited}.jsonl"
                cloud = self.start(switches, "--events", events)
                self.register(cloud)
                command = ["mosquitto_pub", "-h", cloud.endpoint(A), "-p", str(cloud.mqtt_port()), "--cafile",
                           cloud.ready["root_ca"], "--cert", self.certificate, "--key", self.key, "-i", "lamp", "-q", "0", "-t",
                           "lamps/1", "-l"]
                subprocess.run(command, input=many, text=True, capture_output=True, timeout=LIMIT_S, check=False)
                self.assertEqual("rate_limited" in events.read_text(), limited, events.read_text()[-1500:])

    def test_a_full_disk_is_told_as_what_it_is_and_harms_nothing(self):
        disk = self.folder / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        with Cloud("--state", disk / "state.db") as cloud:
            client = cloud.client()
            client.create_policy(policyName="before", policyDocument=POLICY)
            (disk / "ballast").write_bytes(bytes(self.room(disk)))
            kept = ["before"]
            with self.assertRaises(client.exceptions.InternalFailureException) as failure:
                for number in range(1000):
                    client.create_policy(policyName=f"policy-{number}", policyDocument=POLICY)
                    kept.append(f"policy-{number}")
            self.assertEqual(failure.exception.response["ResponseMetadata"]["HTTPStatusCode"], 500)
            self.assertIn("state.db", str(failure.exception))
            self.assertIn("full", cloud.told())
            self.assertEqual(self.policies(client), sorted(kept), "what failed is whole or absent")
            (disk / "ballast").unlink()
            client.create_policy(policyName="after", policyDocument=POLICY)
            cloud.kill()
        with Cloud("--state", disk / "state.db") as again:
            self.assertEqual(self.policies(again.client()), sorted([*kept, "after"]))

    @staticmethod
    def room(disk):
        status = subprocess.run(["stat", "-f", "-c", "%a %S", disk], check=True, capture_output=True, text=True).stdout.split()
        return int(status[0]) * int(status[1])

    @staticmethod
    def policies(client):
        pages = client.get_paginator("list_policies").paginate()
        return sorted(policy["policyName"] for page in pages for policy in page["policies"])


if __name__ == "__main__":
    in_a_world_of_its_own()
    unittest.main()
