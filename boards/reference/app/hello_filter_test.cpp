#include "app/hello_filter.h"

#include <string>

#include <gtest/gtest.h>

namespace {

using namespace std::string_literals;

std::string vector_of(int octets, const std::string& body) {
  std::string length;
  for (int i = octets - 1; i >= 0; i--) length += static_cast<char>(body.size() >> (8 * i));
  return length + body;
}

std::string name_extension(const std::string& name) {
  return "\0\0"s + vector_of(2, vector_of(2, "\0"s + vector_of(2, name)));
}

std::string hello(const std::string& extensions) {
  const std::string body = "\x03\x03"s + std::string(32, 'r') + vector_of(1, std::string(32, 's')) +
                           vector_of(2, "\x13\x01"s) + vector_of(1, "\0"s) + vector_of(2, extensions);
  return "\x16\x03\x01"s + vector_of(2, "\x01"s + vector_of(3, body));
}

std::string filtered(std::string record) {
  record.resize(hello_filter_empty_server_name(reinterpret_cast<std::uint8_t*>(record.data()), record.size()));
  return record;
}

const std::string other = "\0\x0b\0\2\1\0"s;

TEST(HelloFilter, EmptiesTheNameAndKeepsAllElse) {
  EXPECT_EQ(filtered(hello(name_extension("a.example"))), hello(name_extension("")));
  EXPECT_EQ(filtered(hello(other + name_extension("a.example") + other)), hello(other + name_extension("") + other));
}

TEST(HelloFilter, AddsASecondNameAndKeepsAllElse) {
  const auto entry = [](const std::string& name) { return "\0"s + vector_of(2, name); };
  const std::string two = "\0\0"s + vector_of(2, vector_of(2, entry("a.example") + entry("second.example")));
  std::string record = hello(other + name_extension("a.example") + other);
  const std::size_t size = record.size();
  record.resize(size + 16);
  EXPECT_EQ(hello_filter_add_server_name(reinterpret_cast<std::uint8_t*>(record.data()), size, size + 16), size)
      << "one octet too few";
  record.resize(size + 17);
  record.resize(hello_filter_add_server_name(reinterpret_cast<std::uint8_t*>(record.data()), size, size + 17));
  EXPECT_EQ(record, hello(other + two + other));
}

TEST(HelloFilter, LeavesOthersAlone) {
  for (const std::string& record :
       {hello(""), hello(other), hello(name_extension("")), hello("\0\0\0\0"s), "\x17\x03\x03\0\1x"s, ""s}) {
    EXPECT_EQ(filtered(record), record);
  }
}

TEST(HelloFilter, LeavesWhatIsCutShortAlone) {
  const std::string whole = hello(name_extension("a.example"));
  for (std::size_t length = 0; length < whole.size(); length++) {
    EXPECT_EQ(filtered(whole.substr(0, length)), whole.substr(0, length));
  }
}

TEST(HelloFilter, NeverLeavesTheRecordForWrongLengths) {
  const std::string whole = hello(other + name_extension("a.example"));
  for (std::size_t at = 0; at < whole.size(); at++) {
    for (int value : {0, 1, 0x7F, 0xFF}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(value);
      EXPECT_LE(filtered(damaged).size(), whole.size());
    }
  }
}

}  // namespace
