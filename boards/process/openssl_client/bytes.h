// Octets, and the one way in which a connection ends that was not meant to.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace openssl_client {

using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

/// This connection is over; what() says why. The device goes on with the next one.
struct ConnectionLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace openssl_client
