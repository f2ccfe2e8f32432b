// The identity that the device makes for itself: a key on P-256, and what asks for a certificate for it.
#pragma once

#include <memory>
#include <string>

#include <openssl/evp.h>

#include "boards/process/openssl_client/settings.h"

namespace openssl_client {

class OwnKey {
 public:
  OwnKey();  ///< a new one
  [[nodiscard]] std::string pem() const;
  /// PKCS#10 with this common name, PEM.
  [[nodiscard]] std::string request(const std::string& common_name) const;

 private:
  struct ReleaseKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  std::unique_ptr<EVP_PKEY, ReleaseKey> key_;
};

[[nodiscard]] bool has_own_identity(const Settings& settings);
/// Over a power cut as well there is all of it or nothing: the certificate comes last, and makes it one. Throws
/// std::runtime_error where the files cannot be written.
void store_own_identity(const Settings& settings, const OwnKey& key, const std::string& certificate_pem);

}  // namespace openssl_client
