"""Every error that the service's rules name, provoked at least once through the vendor's SDK: the model's exception with
the model's status."""

import base64
import http.client
import json
import tempfile
import unittest
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from botocore.exceptions import ClientError

from cloud import ACCOUNTS, Authority, Cloud

A, B = ACCOUNTS
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})
UNKNOWN_ID = "0" * 64


class SignedLongAgo(botocore.auth.SigV4Auth):
    def add_auth(self, request):
        request.context["timestamp"] = "20200101T000000Z"
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))


class Errors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="hilmark-errors-"))
        cls.cloud = cls.enterClassContext(Cloud())
        cls.iot = {account: cls.cloud.client(account=account) for account in ACCOUNTS}
        cls.authority = Authority(cls.folder)

    def refused(self, code, status, call, *arguments, **members):
        with self.assertRaises(ClientError) as refusal:
            call(*arguments, **members)
        response = refusal.exception.response
        self.assertEqual((response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]), (code, status),
                         response["Error"]["Message"])
        self.assertTrue(response["Error"]["Message"])
        self.assertTrue(response["ResponseMetadata"]["RequestId"])
        return response

    def register_ca(self, account, authority, mode="SNI_ONLY", **members):
        given = {"certificateMode": mode, "setAsActive": True, **members}
        if mode == "DEFAULT":
            code = self.iot[account].get_registration_code()["registrationCode"]
            given["verificationCertificate"] = authority.proof(code)
        return self.iot[account].register_ca_certificate(caCertificate=authority.pem, **given)["certificateId"]

    def new_certificate(self, account=A, active=True):
        return self.iot[account].create_keys_and_certificate(setAsActive=active)

    # --- registration code and CA certificates
    def test_registration_code(self):
        iot = self.cloud.client(account=B, region="eu-west-1")
        self.refused("ResourceNotFoundException", 404, iot.delete_registration_code)
        code = iot.get_registration_code()["registrationCode"]
        self.assertRegex(code, r"^[0-9a-f]{64}$")
        self.assertEqual(iot.get_registration_code()["registrationCode"], code)
        iot.delete_registration_code()
        self.assertNotEqual(iot.get_registration_code()["registrationCode"], code)

    def test_ca_certificates_that_are_none(self):
        register = self.iot[A].register_ca_certificate
        leaf = self.authority.sign("a leaf")[0]
        faults = {"not PEM": "garbage", "PEM garbage": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                  "a leaf": leaf, "no CA": Authority(self.folder, "No CA", basic="CA:FALSE").pem,
                  "RSA-1024": Authority(self.folder, "Small", key="rsa:1024").pem}
        for what, pem in faults.items():
            with self.subTest(what):
                self.refused("CertificateValidationException", 400, register, caCertificate=pem, certificateMode="SNI_ONLY")

    def test_modes_and_proofs(self):
        register = self.iot[A].register_ca_certificate
        pem = self.authority.pem
        code = self.iot[A].get_registration_code()["registrationCode"]
        self.refused("InvalidRequestException", 400, register, caCertificate=pem)
        self.refused("InvalidRequestException", 400, register, caCertificate=pem, certificateMode="SNI_ONLY",
                     verificationCertificate=self.authority.proof(code))
        self.refused("CertificateValidationException", 400, register, caCertificate=pem,
                     verificationCertificate=Authority(self.folder, "Other").proof(code))
        self.refused("RegistrationCodeValidationException", 400, register, caCertificate=pem,
                     verificationCertificate=self.authority.proof(UNKNOWN_ID))

    def test_ca_registered_twice(self):
        authority = Authority(self.folder, "Twice")
        ca_id = self.register_ca(A, authority, "DEFAULT")
        again = self.refused("ResourceAlreadyExistsException", 409, self.register_ca, A, authority)
        self.assertEqual(again["resourceId"], ca_id)
        self.assertIn(ca_id, again["resourceArn"])
        hidden = self.refused("ResourceAlreadyExistsException", 409, self.register_ca, B, authority, "DEFAULT")
        self.assertNotIn("resourceArn", hidden)

    def test_ca_limits_and_templates(self):
        iot = self.iot[B]
        for _ in range(10):
            self.register_ca(B, Authority(self.folder, "Ten of a name", days=100 + _))
        self.refused("LimitExceededException", 410, self.register_ca, B, Authority(self.folder, "Ten of a name", days=99))
        authority = Authority(self.folder, "With template")
        self.refused("ResourceNotFoundException", 404, self.register_ca, B, authority,
                     registrationConfig={"templateName": "missing"})
        iot.create_provisioning_template(templateName="fleet", provisioningRoleArn="arn:aws:iam::222222222222:role/x",
                                         templateBody=json.dumps({"Resources": {"c": {"Type": "AWS::IoT::Certificate",
                                                                                      "Properties": {}}}}))
        self.refused("InvalidRequestException", 400, self.register_ca, B, authority,
                     registrationConfig={"templateName": "fleet"})

    def test_ca_life(self):
        iot = self.iot[A]
        ca_id = self.register_ca(A, Authority(self.folder, "Life"))
        self.refused("CertificateStateException", 406, iot.delete_ca_certificate, certificateId=ca_id)
        iot.update_ca_certificate(certificateId=ca_id, newStatus="INACTIVE")
        self.assertEqual(iot.describe_ca_certificate(certificateId=ca_id)["certificateDescription"]["customerVersion"], 2)
        iot.delete_ca_certificate(certificateId=ca_id)
        self.refused("ResourceNotFoundException", 404, iot.describe_ca_certificate, certificateId=ca_id)
        self.refused("ResourceNotFoundException", 404, iot.update_ca_certificate, certificateId=ca_id, newStatus="ACTIVE")
        self.refused("InvalidRequestException", 400, iot.list_ca_certificates, marker="not a marker")

    # --- device certificates
    def test_registering_device_certificates(self):
        iot = self.iot[A]
        authority = Authority(self.folder, "Devices")
        leaf = authority.sign("lamp")[0]
        self.refused("CertificateValidationException", 400, iot.register_certificate, certificatePem=leaf,
                     caCertificatePem=authority.pem)
        ca_id = self.register_ca(A, authority)
        stranger = Authority(self.folder, "Devices", days=1000).sign("lamp")[0]
        self.refused("CertificateValidationException", 400, iot.register_certificate, certificatePem=stranger,
                     caCertificatePem=authority.pem)
        made = iot.register_certificate(certificatePem=leaf, caCertificatePem=authority.pem)
        again = self.refused("ResourceAlreadyExistsException", 409, iot.register_certificate, certificatePem=leaf,
                             caCertificatePem=authority.pem)
        self.assertEqual(again["resourceId"], made["certificateId"])
        iot.update_ca_certificate(certificateId=ca_id, newStatus="INACTIVE")
        self.refused("CertificateStateException", 406, iot.register_certificate,
                     certificatePem=authority.sign("other")[0], caCertificatePem=authority.pem)

    def test_status_of_device_certificates(self):
        iot = self.iot[A]
        made = self.new_certificate()["certificateId"]
        for pending in ("PENDING_TRANSFER", "PENDING_ACTIVATION"):
            self.refused("CertificateStateException", 406, iot.update_certificate, certificateId=made, newStatus=pending)
        loose = self.cloud.client(validate=False)
        self.refused("InvalidRequestException", 400, loose.update_certificate, certificateId=made, newStatus="SLEEPING")
        iot.update_certificate(certificateId=made, newStatus="ACTIVE")
        self.refused("CertificateStateException", 406, iot.delete_certificate, certificateId=made)
        iot.update_certificate(certificateId=made, newStatus="REVOKED")
        iot.update_certificate(certificateId=made, newStatus="REVOKED")
        self.refused("CertificateStateException", 406, iot.update_certificate, certificateId=made, newStatus="ACTIVE")
        iot.delete_certificate(certificateId=made)
        self.refused("ResourceNotFoundException", 404, iot.describe_certificate, certificateId=made)

    def test_deleting_what_is_attached(self):
        iot = self.iot[A]
        made = self.new_certificate(active=False)
        iot.create_policy(policyName="attached", policyDocument=POLICY)
        iot.attach_policy(policyName="attached", target=made["certificateArn"])
        self.refused("DeleteConflictException", 409, iot.delete_certificate, certificateId=made["certificateId"])
        self.refused("DeleteConflictException", 409, iot.delete_policy, policyName="attached")
        iot.create_thing(thingName="attached")
        iot.attach_thing_principal(thingName="attached", principal=made["certificateArn"])
        self.refused("InvalidRequestException", 400, iot.delete_thing, thingName="attached")
        self.refused("DeleteConflictException", 409, iot.delete_certificate, certificateId=made["certificateId"],
                     forceDelete=True)
        iot.detach_thing_principal(thingName="attached", principal=made["certificateArn"])
        iot.delete_certificate(certificateId=made["certificateId"], forceDelete=True)

    def test_transfers(self):
        give, take = self.iot[A], self.iot[B]
        made = self.new_certificate()
        self.refused("CertificateStateException", 406, give.transfer_certificate, certificateId=made["certificateId"],
                     targetAwsAccount=B)
        give.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
        for target in (A, "999999999999"):
            self.refused("InvalidRequestException", 400, give.transfer_certificate, certificateId=made["certificateId"],
                         targetAwsAccount=target)
        give.create_policy(policyName="transfers", policyDocument=POLICY)
        give.attach_policy(policyName="transfers", target=made["certificateArn"])
        self.refused("TransferConflictException", 409, give.transfer_certificate, certificateId=made["certificateId"],
                     targetAwsAccount=B)
        give.detach_policy(policyName="transfers", target=made["certificateArn"])
        give.transfer_certificate(certificateId=made["certificateId"], targetAwsAccount=B)
        outgoing = give.list_outgoing_certificates()["outgoingCertificates"]
        self.assertEqual([each["certificateId"] for each in outgoing], [made["certificateId"]])
        take.accept_certificate_transfer(certificateId=made["certificateId"], setAsActive=True)
        for call, who in ((take.accept_certificate_transfer, "again"), (take.reject_certificate_transfer, "late")):
            with self.subTest(who):
                self.refused("TransferAlreadyCompletedException", 410, call, certificateId=made["certificateId"])
        self.assertEqual(take.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
                         ["previousOwnedBy"], A)

    # --- policies, things, templates
    def test_policies(self):
        iot = self.iot[A]
        for document in ("{", json.dumps({"Version": "2012-10-17"}), json.dumps({"Statement": [{"Effect": "Maybe"}]})):
            self.refused("MalformedPolicyException", 400, iot.create_policy, policyName="bad", policyDocument=document)
        iot.create_policy(policyName="versions", policyDocument=POLICY)
        self.refused("ResourceAlreadyExistsException", 409, iot.create_policy, policyName="versions", policyDocument=POLICY)
        for _ in range(4):
            iot.create_policy_version(policyName="versions", policyDocument=POLICY)
        self.refused("VersionsLimitExceededException", 409, iot.create_policy_version, policyName="versions",
                     policyDocument=POLICY)
        self.refused("DeleteConflictException", 409, iot.delete_policy, policyName="versions")
        self.refused("ResourceNotFoundException", 404, iot.get_policy, policyName="missing")

    def test_things(self):
        iot = self.iot[A]
        iot.create_thing(thingName="lamp", attributePayload={"attributes": {"colour": "red"}})
        iot.create_thing(thingName="lamp", attributePayload={"attributes": {"colour": "red"}})
        self.refused("ResourceAlreadyExistsException", 409, iot.create_thing, thingName="lamp",
                     attributePayload={"attributes": {"colour": "blue"}})
        self.refused("VersionConflictException", 409, iot.update_thing, thingName="lamp", expectedVersion=77)
        iot.delete_thing(thingName="was-never-there")
        self.refused("ResourceNotFoundException", 404, iot.describe_thing, thingName="was-never-there")

    def test_endpoints_and_domains(self):
        iot = self.iot[A]
        self.refused("InvalidRequestException", 400, iot.describe_endpoint, endpointType="iot:Nothing")
        self.refused("ResourceNotFoundException", 404, iot.describe_domain_configuration, domainConfigurationName="none")

    # --- requests
    def request(self, method="GET", path="/registrationcode", body=b"", access="hilmark-a", secret="hilmark-a",
                auth=botocore.auth.SigV4Auth):
        url = self.cloud.ready["control"] + path
        request = botocore.awsrequest.AWSRequest(method, url, data=body)
        if access:
            keys = botocore.credentials.Credentials(access, secret)
            auth(keys, "iot", "us-east-1").add_auth(request)
        target = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=dict(request.headers))
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, (answer.getheader("x-amzn-ErrorType") or "").split(":")[0], text, answer
        finally:
            connection.close()

    def test_signatures(self):
        self.assertEqual(self.request()[0], 200)
        self.assertEqual(self.request(access=None)[:2], (403, "MissingAuthenticationTokenException"))
        self.assertEqual(self.request(access="nobody")[:2], (403, "UnrecognizedClientException"))
        self.assertEqual(self.request(secret="wrong")[:2], (403, "InvalidSignatureException"))
        self.assertEqual(self.request(auth=SignedLongAgo)[:2], (403, "InvalidSignatureException"))

    def test_requests_that_are_none(self):
        status, kind, text, _ = self.request(path="/no-such-operation")
        self.assertEqual((status, kind), (404, "UnknownOperationException"))
        self.assertIn(b"no-such-operation", text)
        status, kind, _, _ = self.request("POST", "/policies/broken", b"{")
        self.assertEqual((status, kind), (400, "SerializationException"))
        status, _, _, _ = self.request("POST", "/policies/large", b"x" * (2 << 20))
        self.assertEqual(status, 413)
        status, kind, _, _ = self.request("POST", "/policies/typed", json.dumps({"policyDocument": 7}).encode())
        self.assertEqual(status, 400)
        status, _, _, _ = self.request(path="/certificates/" + "x" * 64)
        self.assertEqual(status, 400, "an id that is no hex")
        status, _, _, _ = self.request(path="/things/" + "n" * 65536)
        self.assertIn(status, (400, 413, 414, 431))
        for name in ("größe", "雪", "a b", "\x7f"):
            status, _, _, _ = self.request("POST", "/things/" + urllib.parse.quote(name), b"{}")
            self.assertEqual(status, 400, name)

    def test_each_answer_has_an_id_of_its_own_and_the_date(self):
        answers = [self.request()[3] for _ in range(20)]
        ids = {answer.getheader("x-amzn-RequestId") for answer in answers}
        self.assertEqual(len(ids), 20)
        self.assertTrue(all(answer.getheader("Date") for answer in answers))

    def test_a_marker_is_base64_and_leads_on(self):
        iot = self.cloud.client(region="eu-west-1")
        names = [f"p{number:02}" for number in range(7)]
        for name in names:
            iot.create_policy(policyName=name, policyDocument=POLICY)
        seen, marker = [], None
        while True:
            page = iot.list_policies(pageSize=3, ascendingOrder=True, **({"marker": marker} if marker else {}))
            seen += [each["policyName"] for each in page["policies"]]
            marker = page.get("nextMarker")
            if not marker:
                break
            base64.b64decode(marker, validate=True)
        self.assertEqual(sorted(seen), names)


if __name__ == "__main__":
    unittest.main()
