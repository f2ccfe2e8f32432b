"""mosquitto_pub, mosquitto_sub and paho with one CA-signed certificate in two accounts (DEFAULT and SNI_ONLY): registered
just in time at the first connection, then served; what is published in one account is never seen in the other."""

import json
import queue
import ssl
import subprocess
import tempfile
import unittest

import paho.mqtt.client as paho

from cloud import ACCOUNTS, Authority, Cloud, in_a_world_of_its_own, lead

DEFAULT_ACCOUNT, SNI_ONLY_ACCOUNT = ACCOUNTS
LIMIT_S = 20
TEMPLATE = {"Parameters": {"AWS::IoT::Certificate::CommonName": {"Type": "String"},
                           "AWS::IoT::Certificate::Id": {"Type": "String"}},
            "Resources": {
                "thing": {"Type": "AWS::IoT::Thing",
                          "Properties": {"ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"}}},
                "certificate": {"Type": "AWS::IoT::Certificate",
                                "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"}},
                "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "devices"}}}}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}


class Clients(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="hilmark-clients-"))
        self.cloud = self.enterContext(Cloud(ports=("--control", "0")))
        self.authority = Authority(folder)
        _, self.certificate, self.key = self.authority.sign("lamp")
        for account in ACCOUNTS:
            lead(self.cloud.endpoint(account))
            client = self.cloud.client(account=account)
            client.create_policy(policyName="devices", policyDocument=json.dumps(POLICY))
            given = {"certificateMode": "SNI_ONLY"}
            if account == DEFAULT_ACCOUNT:
                code = client.get_registration_code()["registrationCode"]
                given = {"verificationCertificate": self.authority.proof(code)}
            client.register_ca_certificate(caCertificate=self.authority.pem, setAsActive=True, allowAutoRegistration=True,
                                           registrationConfig={"templateBody": json.dumps(TEMPLATE)}, **given)

    def arguments(self, program, account, client_id, *more):
        return [program, "-h", self.cloud.endpoint(account), "-p", "8883", "--cafile", self.cloud.ready["root_ca"], "--cert",
                self.certificate, "--key", self.key, "-i", client_id, "-q", "1", *more]

    def publish(self, account, text, version="311"):
        return subprocess.run(self.arguments("mosquitto_pub", account, "publisher", "-t", "lamps/1", "-m", text, "-V", version),
                              capture_output=True, text=True, timeout=LIMIT_S)

    def modes(self):
        return [self.cloud.client(account=account).list_certificates()["certificates"][0]["certificateMode"]
                for account in ACCOUNTS]

    def test_mosquittos_clients_in_two_accounts(self):
        for account in ACCOUNTS:
            first = self.publish(account, "first")
            self.assertNotEqual(first.returncode, 0, "a first connection registers, and is closed without a CONNACK")
            again = self.publish(account, "again")
            self.assertEqual(again.returncode, 0, again.stderr + self.cloud.told())
        self.assertEqual(self.modes(), ["DEFAULT", "SNI_ONLY"])
        for version in ("311", "5"):
            with self.subTest(version=version):
                self.no_message_crosses(version)

    def no_message_crosses(self, version):
        # Line by line, since its output is read as it comes.
        listeners = {account: subprocess.Popen(
            ["stdbuf", "-oL"] + self.arguments("mosquitto_sub", account, "listener", "-t", "lamps/+", "-C", "5", "-W", str(LIMIT_S), "-V", version,
                           "-d"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for account in ACCOUNTS}
        seen = {account: [] for account in ACCOUNTS}
        for account, listener in listeners.items():
            for line in listener.stdout:  # from its SUBACK on it hears
                if "Subscribed" in line:
                    break
        for number in range(5):
            for account in ACCOUNTS:
                done = self.publish(account, f"to {account}: {number}", version)
                self.assertEqual(done.returncode, 0, done.stderr + self.cloud.told())
        for account, listener in listeners.items():
            told, _ = listener.communicate(timeout=LIMIT_S)
            seen[account] = [line for line in told.splitlines() if line.startswith("to ")]
            self.assertEqual(seen[account], [f"to {account}: {number}" for number in range(5)], told)

    def paho_client(self, account, heard, protocol):
        client = paho.Client("paho", protocol=protocol)
        client.tls_set(self.cloud.ready["root_ca"], self.certificate, self.key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.on_connect = lambda *_: heard.put("connected")
        client.on_subscribe = lambda *_: heard.put("subscribed")
        client.on_message = lambda _client, _data, message: heard.put(message.payload.decode())
        client.reconnect_delay_set(1, 2)
        client.connect_async(self.cloud.endpoint(account), 8883)
        client.loop_start()
        self.addCleanup(client.loop_stop)
        self.addCleanup(client.disconnect)
        return client

    def test_paho_in_two_accounts(self):
        for protocol in (paho.MQTTv311, paho.MQTTv5):
            with self.subTest(protocol=protocol):
                heard = {account: queue.Queue() for account in ACCOUNTS}
                clients = {account: self.paho_client(account, heard[account], protocol) for account in ACCOUNTS}
                for account, client in clients.items():
                    # Registered by its first connection, it comes back by itself.
                    self.assertEqual(heard[account].get(timeout=LIMIT_S), "connected", self.cloud.told())
                    client.subscribe("lamps/#", 1)
                    self.assertEqual(heard[account].get(timeout=LIMIT_S), "subscribed")
                for account, client in clients.items():
                    client.publish("lamps/2", f"to {account}", 1)
                for account in ACCOUNTS:
                    self.assertEqual(heard[account].get(timeout=LIMIT_S), f"to {account}")
                    self.assertTrue(heard[account].empty())
                for client in clients.values():
                    client.disconnect()
                    client.loop_stop()


if __name__ == "__main__":
    in_a_world_of_its_own()
    unittest.main()
