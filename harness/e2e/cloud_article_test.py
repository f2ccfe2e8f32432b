"""The article's key points, each as calls that are accepted or refused, over three accounts, two regions and both modes;
by the vendor's SDK."""

import itertools
import pathlib
import tempfile
import unittest

from botocore.exceptions import ClientError

from cloud import Authority, Cloud

CONFIG = """version: 1
accounts:
  - {id: "111111111111", access_key: key-1, secret_key: secret-1}
  - {id: "222222222222", access_key: key-2, secret_key: secret-2}
  - {id: "333333333333", access_key: key-3, secret_key: secret-3}
regions: [us-east-1, eu-west-1]
"""
ACCOUNTS = ["111111111111", "222222222222", "333333333333"]
REGIONS = ["us-east-1", "eu-west-1"]
MODES = ["DEFAULT", "SNI_ONLY"]
PLACES = list(itertools.product(ACCOUNTS, REGIONS))


class Article(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="hilmark-article-"))
        config = pathlib.Path(cls.folder) / "cloud.yaml"
        config.write_text(CONFIG)
        cls.cloud = cls.enterClassContext(Cloud("--config", config))
        cls.authority = Authority(cls.folder)
        cls.clients = {place: cls.cloud.client("iot", *place) for place in PLACES}
        cls.proofs = {place: cls.authority.proof(client.get_registration_code()["registrationCode"])
                      for place, client in cls.clients.items()}

    def tearDown(self):
        for client in self.clients.values():
            for each in client.list_ca_certificates()["certificates"]:
                client.update_ca_certificate(certificateId=each["certificateId"], newStatus="INACTIVE")
                client.delete_ca_certificate(certificateId=each["certificateId"])

    def register(self, place, mode):
        """The refusal's code and status, or ("registered", 200)."""
        given = {"caCertificate": self.authority.pem, "setAsActive": True, "certificateMode": mode}
        if mode == "DEFAULT":
            given["verificationCertificate"] = self.proofs[place]
        try:
            made = self.clients[place].register_ca_certificate(**given)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        described = self.clients[place].describe_ca_certificate(certificateId=made["certificateId"])["certificateDescription"]
        self.assertEqual(described["certificateMode"], mode)
        self.assertEqual(described["ownedBy"], place[0])
        return "registered", 200

    def test_every_pair_of_registrations_is_accepted_or_refused_by_the_key_points(self):
        """Only one account a region in DEFAULT mode; any number in SNI_ONLY; other regions are independent; modes mix over
        accounts; one mode in one account."""
        for first, second in itertools.product(itertools.product(PLACES, MODES), repeat=2):
            (place_1, mode_1), (place_2, mode_2) = first, second
            with self.subTest(first=first, second=second):
                self.assertEqual(self.register(place_1, mode_1), ("registered", 200))
                same_place = place_1 == place_2
                both_default_in_region = place_1[1] == place_2[1] and mode_1 == mode_2 == "DEFAULT"
                refused = same_place or both_default_in_region
                expected = ("ResourceAlreadyExistsException", 409) if refused else ("registered", 200)
                self.assertEqual(self.register(place_2, mode_2), expected)
            self.tearDown()

    def test_any_number_of_accounts_has_it_in_sni_only_mode_beside_one_in_default(self):
        for region in REGIONS:
            self.assertEqual(self.register((ACCOUNTS[0], region), "DEFAULT"), ("registered", 200))
            for account in ACCOUNTS[1:]:
                self.assertEqual(self.register((account, region), "SNI_ONLY"), ("registered", 200))

    def test_the_mode_changes_by_deleting_and_registering_again(self):
        for place, (old, new) in itertools.product(PLACES, [MODES, MODES[::-1]]):
            self.assertEqual(self.register(place, old)[0], "registered")
            self.assertEqual(self.register(place, new)[0], "ResourceAlreadyExistsException")
            self.tearDown()
            self.assertEqual(self.register(place, new)[0], "registered")
            self.tearDown()

    def test_device_certificates_take_the_mode_of_their_ca(self):
        leaf = self.authority.sign("lamp")[0]
        for place, mode in (((ACCOUNTS[0], REGIONS[0]), "DEFAULT"), ((ACCOUNTS[1], REGIONS[0]), "SNI_ONLY"),
                            ((ACCOUNTS[0], REGIONS[1]), "SNI_ONLY")):
            self.assertEqual(self.register(place, mode)[0], "registered")
            client = self.clients[place]
            made = client.register_certificate(certificatePem=leaf, caCertificatePem=self.authority.pem, status="ACTIVE")
            described = client.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
            self.assertEqual(described["certificateMode"], mode)
            client.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
            client.delete_certificate(certificateId=made["certificateId"])

    def test_default_mode_needs_a_proof_for_this_very_account(self):
        here, there = PLACES[0], PLACES[2]
        client = self.clients[here]
        for proof, code in ((None, "InvalidRequestException"), (self.proofs[there], "RegistrationCodeValidationException"),
                            (Authority(self.folder, "Stranger").proof("x"), "CertificateValidationException")):
            given = {"verificationCertificate": proof} if proof else {}
            with self.assertRaises(ClientError) as refused:
                client.register_ca_certificate(caCertificate=self.authority.pem, **given)
            self.assertEqual(refused.exception.response["Error"]["Code"], code)
            self.assertEqual(refused.exception.response["ResponseMetadata"]["HTTPStatusCode"], 400)


if __name__ == "__main__":
    unittest.main()
