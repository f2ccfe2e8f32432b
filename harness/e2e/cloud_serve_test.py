"""`hilmark cloud serve` as its users start it: just-in-time registration with and without help, HTTPS publish, state that
survives a kill, and faults of the command line."""

import http.client
import json
import os
import pathlib
import ssl
import stat
import subprocess
import tempfile
import unittest

from cloud import ACCOUNTS, Authority, Cloud, in_a_world_of_its_own, lead
from lab import hilmark

A = next(iter(ACCOUNTS))
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})
LIMIT_S = 20


def publish(cloud, certificate, key, client_id="lamp", topic="lamps/1", text="hello", region="us-east-1"):
    return subprocess.run(["mosquitto_pub", "-h", cloud.endpoint(A, region), "-p", str(cloud.mqtt_port(region)), "--cafile",
                           cloud.ready["root_ca"], "--cert", certificate, "--key", key, "-i", client_id, "-q", "1", "-t", topic,
                           "-m", text], capture_output=True, text=True, timeout=LIMIT_S, check=False)


class Serve(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hilmark-serve-")))
        self.authority = Authority(self.folder)
        _, self.certificate, self.key = self.authority.sign("lamp")

    def start(self, *arguments):
        cloud = self.enterContext(Cloud(*arguments))
        lead(cloud.endpoint(A))
        return cloud

    def register_ca(self, cloud):
        cloud.client().register_ca_certificate(caCertificate=self.authority.pem, certificateMode="SNI_ONLY", setAsActive=True,
                                               allowAutoRegistration=True)

    def status(self, cloud):
        return [each["status"] for each in cloud.client().list_certificates()["certificates"]]

    def served_after_a_while(self, cloud):
        for _ in range(100):
            if publish(cloud, self.certificate, self.key).returncode == 0:
                return True
        return False

    def test_without_help_a_registered_device_waits(self):
        cloud = self.start("--rig-activates", "never")
        self.register_ca(cloud)
        for _ in range(3):
            self.assertNotEqual(publish(cloud, self.certificate, self.key).returncode, 0)
            self.assertEqual(self.status(cloud), ["PENDING_ACTIVATION"])

    def test_the_rig_activates_after_a_while(self):
        cloud = self.start("--rig-activates", "after=200ms")
        self.register_ca(cloud)
        self.assertNotEqual(publish(cloud, self.certificate, self.key).returncode, 0)
        self.assertTrue(self.served_after_a_while(cloud), cloud.told())
        self.assertEqual(self.status(cloud), ["ACTIVE"])

    def test_a_hook_of_the_users_activates_with_the_cli(self):
        hook = self.folder / "activate.sh"
        hook.write_text("""#!/bin/sh
set -e
arn="arn:aws:iot:$HILMARK_REGION:$HILMARK_ACCOUNT:cert/$HILMARK_CERTIFICATE_ID"
aws --endpoint-url "$AWS_ENDPOINT_URL" iot attach-policy --policy-name devices --target "$arn"
aws --endpoint-url "$AWS_ENDPOINT_URL" iot update-certificate --certificate-id "$HILMARK_CERTIFICATE_ID" --new-status ACTIVE
""")
        hook.chmod(0o700)
        config = self.folder / "cloud.yaml"
        config.write_text(f"version: 1\njitr_hook: [{hook}]\n")
        cloud = self.start("--config", config)
        cloud.client().create_policy(policyName="devices", policyDocument=POLICY)
        self.register_ca(cloud)
        self.assertNotEqual(publish(cloud, self.certificate, self.key).returncode, 0)
        self.assertTrue(self.served_after_a_while(cloud), cloud.told())

    def test_what_is_published_by_https_is_heard_by_mqtt(self):
        cloud = self.start()
        client = cloud.client()
        client.create_policy(policyName="devices", policyDocument=POLICY)
        made = client.register_certificate_without_ca(certificatePem=pathlib.Path(self.certificate).read_text(), status="ACTIVE")
        client.attach_policy(policyName="devices", target=made["certificateArn"])
        name = cloud.endpoint(A)
        listener = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-h", name, "-p", str(cloud.mqtt_port()), "--cafile",
                                     cloud.ready["root_ca"], "--cert", self.certificate, "--key", self.key, "-i", "ear", "-q",
                                     "1", "-t", "lamps/#", "-C", "2", "-W", str(LIMIT_S), "-d"], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True)
        for line in listener.stdout:
            if "Subscribed" in line:
                break
        tls = ssl.create_default_context(cafile=cloud.ready["root_ca"])
        tls.load_cert_chain(self.certificate, self.key)
        connection = http.client.HTTPSConnection(name, cloud.ready["regions"]["us-east-1"]["https"], context=tls, timeout=LIMIT_S)
        connection.request("POST", "/topics/lamps%2Fby-https?qos=1", body="by https")
        answer = connection.getresponse()
        self.assertEqual((answer.status, json.loads(answer.read())["message"]), (200, "OK"))
        connection.close()
        cloud.client("iot-data").publish(topic="lamps/by-api", qos=1, payload=b"by the API")
        told, _ = listener.communicate(timeout=LIMIT_S)
        heard = [line for line in told.splitlines() if line.startswith("by ")]
        self.assertEqual(heard, ["by https", "by the API"], told)

    def test_state_outlives_a_kill_and_the_endpoint_is_the_same_one(self):
        state = self.folder / "state.db"
        with Cloud("--state", state) as first:
            self.register_ca(first)
            root, endpoint = pathlib.Path(first.ready["root_ca"]).read_text(), first.endpoint(A)
            first.kill()
        self.assertEqual(stat.S_IMODE(state.stat().st_mode), 0o600)
        with Cloud("--state", state) as second:
            self.assertEqual(len(second.client().list_ca_certificates()["certificates"]), 1)
            self.assertEqual(pathlib.Path(second.ready["root_ca"]).read_text(), root)
            self.assertEqual(second.endpoint(A), endpoint)
            other = subprocess.run(hilmark("cloud", "serve", "--state", state, "--control", 0, "--mqtt", 0, "--https", 0),
                                   capture_output=True, text=True, timeout=LIMIT_S, check=False)
            self.assertEqual(other.returncode, 2)
            self.assertIn("in use", other.stderr)

    def test_it_leaves_nothing_behind(self):
        with Cloud() as cloud:
            self.register_ca(cloud)
            lead(cloud.endpoint(A))
            publish(cloud, self.certificate, self.key)
            self.assertEqual(stat.S_IMODE((cloud.folder / "ready.json").stat().st_mode), 0o600)
            root = pathlib.Path(cloud.ready["root_ca"]).parent
            ready = cloud.folder / "ready.json"
            self.assertTrue(root.exists())
            cloud.__exit__(None, None, None)
            self.assertFalse(ready.exists())
            self.assertFalse(root.exists(), f"{root} holds {list(root.glob('**/*'))}")
            lines = {pid: safe_read(pathlib.Path("/proc", pid, "cmdline")) for pid in os.listdir("/proc") if pid.isdigit()}
            self.assertEqual({pid: line for pid, line in lines.items() if str(root).encode() in line}, {})

    def test_faults_of_the_command_line_end_with_2(self):
        broken = self.folder / "broken.yaml"
        broken.write_text("version: 1\nregions: [mars]\n")
        garbage = self.folder / "garbage.db"
        garbage.write_bytes(b"no database at all, but longer than a header of SQLite" * 40)
        for arguments, told in ((["--config", broken], "broken.yaml:2"), (["--config", self.folder / "none"], "none"),
                                (["--listen", "nowhere"], "--listen"), (["--listen", "192.0.2.1"], "eu-west-1"),
                                (["--rig-activates", "soon"], "after=2s"), (["--state", garbage], "garbage.db"),
                                (["--state", self.folder], str(self.folder)), (["--control", "99999"], "control"),
                                (["--events", self.folder / "no" / "such"], "--events")):
            with self.subTest(arguments=arguments):
                done = subprocess.run(hilmark("cloud", "serve", "--control", 0, "--mqtt", 0, "--https", 0, *arguments)
                                      if "--control" not in arguments else hilmark("cloud", "serve", *arguments),
                                      capture_output=True, text=True, timeout=LIMIT_S, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(told, done.stderr)

    def test_a_port_that_is_taken_is_named(self):
        with Cloud() as cloud:
            port = cloud.ready["control"].rsplit(":", 1)[1]
            done = subprocess.run(hilmark("cloud", "serve", "--control", port, "--mqtt", 0, "--https", 0), capture_output=True,
                                  text=True, timeout=LIMIT_S, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(port, done.stderr)


def safe_read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    in_a_world_of_its_own()
    unittest.main()
