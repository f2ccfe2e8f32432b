// How long to wait before the next attempt: doubled each time, up to a cap, with jitter so that a fleet does not come
// back together.
#pragma once

#include <algorithm>
#include <random>

#include "boards/process/openssl_client/bytes.h"

namespace openssl_client {

class Backoff {
 public:
  static constexpr Milliseconds first{100};
  Backoff(Milliseconds cap, std::uint32_t seed) : cap_(std::max(cap, first)), random_(seed) {}

  /// Between half of the step and all of it.
  [[nodiscard]] Milliseconds next() {
    const Milliseconds step = step_;
    step_ = std::min(step_ * 2, cap_);
    return Milliseconds(std::uniform_int_distribution<Milliseconds::rep>(step.count() / 2, step.count())(random_));
  }
  /// A connection ended that had been served for so long. One that ends soon after CONNACK must not begin anew.
  void served_for(Milliseconds time) {
    if (time >= cap_) step_ = first;
  }

 private:
  Milliseconds cap_;
  Milliseconds step_ = first;
  std::mt19937 random_;
};

}  // namespace openssl_client
