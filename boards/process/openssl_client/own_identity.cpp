#include "boards/process/openssl_client/own_identity.h"

#include <cstdio>
#include <stdexcept>

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

namespace openssl_client {
namespace {

struct ReleaseBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, ReleaseBio>;
struct ReleaseRequest {
  void operator()(X509_REQ* request) const { X509_REQ_free(request); }
};

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL: ") + what + " failed");
}

std::string text_of(BIO* bio) {
  char* octets = nullptr;
  const long size = BIO_get_mem_data(bio, &octets);
  return {octets, static_cast<std::size_t>(size)};
}

[[noreturn]] void give_up(const std::string& file) {
  throw std::runtime_error(file + ": the identity cannot be written there");
}

/// By rename, so that a power cut leaves nothing or all of it.
void write_whole(const std::string& file, const std::string& content) {
  const std::string fresh = file + ".new";
  const int out = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) give_up(fresh);
  const bool written =
      ::write(out, content.data(), content.size()) == static_cast<ssize_t>(content.size()) && ::fsync(out) == 0;
  ::close(out);
  if (!written || std::rename(fresh.c_str(), file.c_str()) != 0) give_up(file);
}

}  // namespace

OwnKey::OwnKey() : key_(EVP_EC_gen("P-256")) { require(key_ != nullptr, "making a key"); }

std::string OwnKey::pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  const int done = PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  require(done == 1, "writing a key");
  return text_of(bio.get());
}

std::string OwnKey::request(const std::string& common_name) const {
  const std::unique_ptr<X509_REQ, ReleaseRequest> request(X509_REQ_new());
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  const auto* name = reinterpret_cast<const unsigned char*>(common_name.c_str());
  const bool good = X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1 &&
                    X509_REQ_set_pubkey(request.get(), key_.get()) == 1 &&
                    X509_REQ_sign(request.get(), key_.get(), EVP_sha256()) > 0;
  require(good, "making a certificate request");
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1, "writing a certificate request");
  return text_of(bio.get());
}

bool has_own_identity(const Settings& settings) {
  return ::access(settings.chain_file.c_str(), R_OK) == 0 && ::access(settings.key_file.c_str(), R_OK) == 0;
}

void store_own_identity(const Settings& settings, const OwnKey& key, const std::string& certificate_pem) {
  write_whole(settings.key_file, key.pem());
  write_whole(settings.chain_file, certificate_pem);
}

}  // namespace openssl_client
