"""`hilmark cloud serve --state` on a disk that fills up: writes are refused with the service's own error and told in the log,
nothing is half there, the rest is served on, and once there is room writes work again."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from botocore.exceptions import ClientError

import mqtt
from cloud import ACCOUNTS, Authority, Cloud, in_a_world_of_its_own

A = next(iter(ACCOUNTS))
DISK_BYTES = 4 << 20
FAR_MORE_THAN_FIT = 2000
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="hilmark-full-disk-")))
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(self.disk)], check=True)
        self.addCleanup(subprocess.run, ["umount", str(self.disk)], check=True)
        self.state = self.disk / "state.db"
        self.ballast = self.disk / "ballast"

    def fill_disk(self):
        with self.ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def things(self, cloud):
        pages = cloud.client().get_paginator("list_things").paginate()
        return [thing["thingName"] for page in pages for thing in page["things"]]

    def create_until_refused(self, cloud, made):
        client = cloud.client()
        for _ in range(FAR_MORE_THAN_FIT):
            name = f"thing-{len(made)}"
            try:
                client.create_thing(thingName=name, attributePayload={"attributes": {"text": "x" * 700}})
            except ClientError as error:
                return error
            made.append(name)
        return None

    def device(self, cloud):
        client = cloud.client()
        client.create_policy(policyName="devices", policyDocument=POLICY)
        made = client.create_keys_and_certificate(setAsActive=True)
        client.attach_policy(policyName="devices", target=made["certificateArn"])
        certificate, key = self.folder / "device.pem", self.folder / "device.key"
        certificate.write_text(made["certificatePem"])
        key.write_text(made["keyPair"]["PrivateKey"])
        return certificate, key

    def test_writes_fail_by_name_and_all_else_goes_on(self):
        made = []
        with Cloud("--state", self.state) as cloud:
            device = self.device(cloud)
            authority = Authority(self.folder)
            _, *newcomer = authority.sign("newcomer")
            cloud.client().register_ca_certificate(caCertificate=authority.pem, certificateMode="SNI_ONLY", setAsActive=True,
                                                   allowAutoRegistration=True)
            self.fill_disk()
            error = self.create_until_refused(cloud, made)
            self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 500)
            self.assertEqual(error.response["Error"]["Code"], "InternalFailureException")
            for said in (str(self.state), "full", "make room"):
                self.assertIn(said, cloud.told())
            self.assertEqual(sorted(self.things(cloud)), sorted(made))
            self.assertEqual(mqtt.outcome(cloud, cloud.endpoint(A), *device), "served")
            self.assertEqual(mqtt.outcome(cloud, cloud.endpoint(A), *newcomer), "closed")
            self.assertRegex(cloud.told(), "registration: state file .*full")
            with self.assertRaises(ClientError) as again:
                cloud.client().create_keys_and_certificate()
            self.assertEqual(again.exception.response["Error"]["Code"], "InternalFailureException")
            self.assertEqual(len(cloud.client().list_certificates()["certificates"]), 1)
            self.ballast.unlink()
            cloud.client().create_thing(thingName="after")
            made.append("after")
            self.assertEqual(sorted(self.things(cloud)), sorted(made))
        with Cloud("--state", self.state) as cloud:
            self.assertEqual(sorted(self.things(cloud)), sorted(made))

    def test_a_start_without_room_ends_with_2_and_says_so(self):
        self.fill_disk()
        with self.assertRaisesRegex(AssertionError, "(?s)ended with 2.*state.db.*full"), Cloud("--state", self.state):
            pass


if __name__ == "__main__":
    in_a_world_of_its_own()
    unittest.main()
