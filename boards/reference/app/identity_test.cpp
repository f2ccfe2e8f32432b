#include "app/identity.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "app/pem.h"

namespace {

struct KeyAndCertificate {
  std::uint8_t key[PORT_PRIVATE_KEY_BYTES];
  std::string pem;
};

KeyAndCertificate make_pair() {
  KeyAndCertificate made;
  char pem[4096];
  EXPECT_TRUE(port_crypto_make_key(made.key));
  EXPECT_TRUE(port_crypto_make_self_signed(made.key, "unit", pem, sizeof pem));
  made.pem = pem;
  return made;
}

class Identity : public testing::Test {
 protected:
  Identity() { settings_set_defaults(&settings_); }

  void set_pending(const KeyAndCertificate& pair) {
    std::memcpy(settings_.pending_key, pair.key, sizeof pair.key);
    settings_.has_pending_key = 1;
  }

  identity_result install(const std::string& pem) { return identity_install(&settings_, pem.c_str()); }

  // What must stay as it is when a certificate is refused.
  void refuse(const std::string& pem, identity_result reason) {
    const settings before = settings_;
    EXPECT_EQ(install(pem), reason);
    EXPECT_EQ(std::memcmp(&before, &settings_, sizeof before), 0);
  }

  settings settings_;
};

TEST_F(Identity, TheCertificateOfThePendingKeyCommitsIt) {
  const auto first = make_pair();
  set_pending(first);
  EXPECT_FALSE(identity_is_complete(&settings_));
  ASSERT_EQ(install(first.pem), IDENTITY_OK);
  EXPECT_TRUE(identity_is_complete(&settings_));
  EXPECT_EQ(settings_.has_pending_key, 0U);
  EXPECT_EQ(std::memcmp(settings_.key, first.key, sizeof first.key), 0);
  EXPECT_EQ(settings_.certificate, first.pem);
}

TEST_F(Identity, ARenewalForThePresentKeyLeavesThePendingOneAlone) {
  const auto first = make_pair();
  const auto second = make_pair();
  set_pending(first);
  ASSERT_EQ(install(first.pem), IDENTITY_OK);
  set_pending(second);
  ASSERT_EQ(install(first.pem + second.pem), IDENTITY_OK);
  EXPECT_EQ(std::memcmp(settings_.key, first.key, sizeof first.key), 0);
  EXPECT_EQ(settings_.has_pending_key, 1U);
  EXPECT_EQ(settings_.certificate, first.pem + second.pem);
}

TEST_F(Identity, RefusesWhatDoesNotFitOrIsDamaged) {
  const auto ours = make_pair();
  const auto other = make_pair();
  refuse(ours.pem, IDENTITY_NO_KEY);
  set_pending(ours);
  refuse(other.pem, IDENTITY_OTHER_KEY);
  refuse(other.pem + ours.pem, IDENTITY_OTHER_KEY);
  ASSERT_EQ(install(ours.pem), IDENTITY_OK);
  refuse(other.pem, IDENTITY_OTHER_KEY);
  refuse("", IDENTITY_UNREADABLE);
  refuse("\n \n", IDENTITY_UNREADABLE);
  refuse(ours.pem + "more", IDENTITY_UNREADABLE);
  refuse("less" + ours.pem, IDENTITY_UNREADABLE);
  refuse(ours.pem + ours.pem.substr(0, 200), IDENTITY_UNREADABLE);
  refuse(std::string(SETTINGS_PEM_BYTES, '\n'), IDENTITY_TOO_LONG);
  std::string many = ours.pem;
  while (many.size() < SETTINGS_PEM_BYTES) many += other.pem;
  refuse(many, IDENTITY_TOO_LONG);
}

TEST_F(Identity, RefusesACertificateCutShortAnywhere) {
  const auto ours = make_pair();
  set_pending(ours);
  const std::size_t whole_bytes = ours.pem.size() - 1;  // the last line may lack its end
  for (std::size_t length = 0; length < whole_bytes; length++) {
    refuse(ours.pem.substr(0, length), IDENTITY_UNREADABLE);
  }
  EXPECT_EQ(install(ours.pem.substr(0, whole_bytes)), IDENTITY_OK);
}

TEST_F(Identity, ARequestNamesTheThingAndNeedsAPendingKey) {
  char pem[4096];
  EXPECT_FALSE(identity_make_request(&settings_, PORT_REQUEST_SOUND, pem, sizeof pem));
  ASSERT_TRUE(identity_make_pending_key(&settings_));
  ASSERT_TRUE(identity_make_request(&settings_, PORT_REQUEST_SOUND, pem, sizeof pem));
  EXPECT_EQ(std::string(pem).rfind("-----BEGIN CERTIFICATE REQUEST-----\n", 0), 0U);
  EXPECT_FALSE(identity_make_request(&settings_, PORT_REQUEST_SOUND, pem, 100));
  std::memset(settings_.thing_name, 'x', 65);
  EXPECT_FALSE(
      identity_make_request(&settings_, PORT_REQUEST_SOUND, pem, sizeof pem));  // longer than a common name may be
}

TEST_F(Identity, TwoKeysAreNeverTheSame) {
  std::uint8_t keys[2][PORT_PRIVATE_KEY_BYTES];
  for (auto& key : keys) ASSERT_TRUE(port_crypto_make_key(key));
  EXPECT_NE(std::memcmp(keys[0], keys[1], sizeof keys[0]), 0);
}

TEST(Pem, BlocksAreFoundWithTheirLineEnds) {
  const auto pair = make_pair();
  const std::string text = "\n" + pair.pem + "\r\n" + pair.pem;
  const char* at = text.c_str();
  pem_block block;
  for (int i = 0; i < 2; i++) {
    ASSERT_EQ(pem_next(&at, &block), PEM_BLOCK);
    EXPECT_EQ(std::string(block.text, block.size_bytes), pair.pem);
  }
  EXPECT_EQ(pem_next(&at, &block), PEM_END);
}

}  // namespace
