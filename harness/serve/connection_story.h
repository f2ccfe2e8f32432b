// What `hilmark cloud serve` tells of each connection: who came by which name, and what became of it. Evidence in,
// lines out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "harness/base/evidence.h"

namespace hilmark::serve {

class ConnectionStories {
 public:
  struct Line {
    bool bad = false;  ///< a refusal or a broken connection: told as a warning
    std::string text;
  };
  /// A line as soon as something was decided, and one when a served connection ends.
  [[nodiscard]] std::optional<Line> add(const Evidence& piece);

  /// Stories under way at most; the oldest are given up.
  static constexpr std::size_t max_open = 20'000;

 private:
  struct Story {
    std::string peer;
    std::string region;
    std::string sni;
    std::string certificate_id;
    std::string event;  ///< where a switch was needed to route it
    SteadyTime began{};
    std::uint64_t publishes = 0;
    bool decided = false;
    bool served = false;
  };
  [[nodiscard]] static std::string who(std::uint64_t number, const Story& story);
  [[nodiscard]] static std::optional<Line> decision(std::uint64_t number, Story& story, const Evidence& piece);
  [[nodiscard]] static std::optional<Line> ending(std::uint64_t number, const Story& story, const Evidence& piece);

  std::map<std::uint64_t, Story> open_;
};

}  // namespace hilmark::serve
