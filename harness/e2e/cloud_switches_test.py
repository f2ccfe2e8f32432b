"""The switches of `hilmark cloud serve --config`: each does what the documentation says, and without it nothing of the
kind happens."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import mqtt
from cloud import ACCOUNTS, Authority, Cloud, in_a_world_of_its_own, lead

A, B = ACCOUNTS
LIMIT_S = 20
BURST = 900  # messages: fewer than a broker keeps for one listener
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})
NOBODYS = "nobody.example.com"


class Switches(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hilmark-switches-")))

    def start(self, rules):
        config = self.folder / "cloud.yaml"
        config.write_text(f"version: 1\nrules: {rules}\n")
        cloud = self.enterContext(Cloud("--config", config))
        lead(cloud.endpoint(A))
        lead(cloud.endpoint(B))
        return cloud

    def device(self, cloud, account=A):
        """In DEFAULT mode: (certificate's path, key's path)."""
        client = cloud.client(account=account)
        client.create_policy(policyName="devices", policyDocument=POLICY)
        made = client.create_keys_and_certificate(setAsActive=True)
        client.attach_policy(policyName="devices", target=made["certificateArn"])
        certificate, key = self.folder / f"{account}.pem", self.folder / f"{account}.key"
        certificate.write_text(made["certificatePem"])
        key.write_text(made["keyPair"]["PrivateKey"])
        return certificate, key

    def publishes(self, cloud, account, device):
        """Whether mosquitto_pub is served by the name of an account."""
        done = subprocess.run(["mosquitto_pub", "-h", cloud.endpoint(account), "-p", str(cloud.mqtt_port()), "--cafile",
                               cloud.ready["root_ca"], "--cert", device[0], "--key", device[1], "-i", "lamp", "-q", "1", "-t",
                               "lamps/1", "-m", "hello"], capture_output=True, text=True, timeout=LIMIT_S, check=False)
        return done.returncode == 0

    def s_client(self, cloud, name, device):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{cloud.mqtt_port()}", "-servername", name,
                               "-cert", device[0], "-key", device[1], "-tls1_2"], input="", capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)
        return done.stdout + done.stderr

    def test_strict_and_close_are_the_defaults(self):
        cloud = self.start("{sni: strict, refuse: close, rate_limits: off}")
        device = self.device(cloud)
        self.assertTrue(self.publishes(cloud, A, device), cloud.told())
        self.assertEqual(mqtt.outcome(cloud, NOBODYS, *device), "closed")
        self.assertIn("refused, sni_unknown", cloud.told())
        self.assertFalse(self.publishes(cloud, B, device))
        self.assertIn("refused, not_in_account", cloud.told())
        self.assertIn("Verify return code", self.s_client(cloud, NOBODYS, device))

    def test_lenient_takes_a_name_that_is_nobodys_for_none(self):
        cloud = self.start("{sni: lenient}")
        device = self.device(cloud)
        self.assertEqual(mqtt.outcome(cloud, NOBODYS, *device), "served")
        self.assertEqual(mqtt.outcome(cloud, None, *device), "served")
        self.assertRegex(cloud.told(), f"sni={NOBODYS} .*served by account {A}")
        self.assertFalse(self.publishes(cloud, B, device), "another account's name is not nobody's")

    def test_route_by_certificate_forgives_another_accounts_name(self):
        cloud = self.start("{sni: route-by-certificate}")
        device = self.device(cloud)
        self.assertTrue(self.publishes(cloud, B, device), cloud.told())
        self.assertRegex(cloud.told(), f"sni={re.escape(cloud.endpoint(B))} .*served by account {A}")
        self.assertEqual(mqtt.outcome(cloud, NOBODYS, *device), "closed")
        self.assertIn("refused, sni_unknown", cloud.told())

    def test_refusals_by_alert_name_what_is_wrong(self):
        cloud = self.start("{refuse: alert}")
        device = self.device(cloud)
        client = cloud.client()
        self.assertTrue(self.publishes(cloud, A, device), cloud.told())
        self.assertIn("unrecognized name", self.s_client(cloud, NOBODYS, device))
        self.assertEqual(mqtt.outcome(cloud, NOBODYS, *device), "tlsv1_unrecognized_name")
        _, certificate, key = Authority(self.folder).sign("stranger")
        self.assertIn("alert", mqtt.outcome(cloud, cloud.endpoint(A), certificate, key))
        identifier = client.list_certificates()["certificates"][0]["certificateId"]
        client.update_certificate(certificateId=identifier, newStatus="REVOKED")
        self.assertEqual(mqtt.outcome(cloud, cloud.endpoint(A), *device), "sslv3_alert_certificate_revoked")

    def burst(self, cloud, device, count):
        """How many of so many messages, sent at once, were heard by a listener."""
        listener = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-h", cloud.endpoint(A), "-p", str(cloud.mqtt_port()),
                                     "--cafile", cloud.ready["root_ca"], "--cert", device[0], "--key", device[1], "-i", "ear",
                                     "-q", "1", "-t", "burst", "-W", str(LIMIT_S), "-d"], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True)
        for line in listener.stdout:
            if "Subscribed" in line:
                break
        with mqtt.tls(cloud, cloud.endpoint(A), *device) as mouth:
            mouth.sendall(mqtt.connect("mouth"))
            self.assertEqual(mqtt.take(mouth, 4), b"\x20\x02\x00\x00")
            mouth.sendall(b"".join(mqtt.publish("burst", b"message") for _ in range(count)) + mqtt.PINGREQ)
            self.assertEqual(mqtt.take(mouth, 2), mqtt.PINGRESP)
        # All of them have been handed to the broker by then.
        cloud.client("iot-data").publish(topic="burst", qos=1, payload=b"the end")
        heard = 0
        for line in listener.stdout:
            if line.strip() == "the end":
                break
            heard += line.strip() == "message"
        listener.terminate()
        listener.communicate(timeout=LIMIT_S)
        return heard

    def test_rate_limits_discard_what_is_too_much(self):
        cloud = self.start("{rate_limits: on}")
        heard = self.burst(cloud, self.device(cloud), BURST)
        self.assertGreaterEqual(heard, 100)
        self.assertLess(heard, BURST - 100)

    def test_without_rate_limits_all_arrives(self):
        cloud = self.start("{rate_limits: off}")
        self.assertEqual(self.burst(cloud, self.device(cloud), BURST), BURST)


if __name__ == "__main__":
    in_a_world_of_its_own()
    unittest.main()
