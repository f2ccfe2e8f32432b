#include "boards/process/gnutls_client/mqtt311.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace gnutls_client {
namespace {

std::string octets(std::initializer_list<int> values) {
  std::string result;
  for (const int value : values) result += static_cast<char>(value);
  return result;
}

TEST(Mqtt311, ConnectIsTheStandards) {
  EXPECT_EQ(connect_packet("u", true, 60), octets({0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 1, 'u'}));
}

TEST(Mqtt311, PublishCarriesAPacketIdAtQos1Alone) {
  EXPECT_EQ(publish_packet({"t", "x", 1, true, 0x0102}), octets({0x3a, 6, 0, 1, 't', 1, 2, 'x'}));
  EXPECT_EQ(publish_packet({"t", "x", 0, false, 0}), octets({0x30, 4, 0, 1, 't', 'x'}));
  EXPECT_EQ(publish_packet({"t", std::string(200, 'x'), 0, false, 0}).substr(0, 3), octets({0x30, 0xcb, 1}));
}

TEST(Mqtt311, PacketsAreTakenWhole) {
  std::string buffered = octets({0x40, 2, 1});
  EXPECT_FALSE(take_packet(buffered));
  buffered += octets({2, 0xd0, 0});
  const auto answer = take_packet(buffered);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->type, puback);
  EXPECT_EQ(answer->number_at(0), 0x0102);
  EXPECT_THROW((void)answer->number_at(1), std::runtime_error);
  EXPECT_EQ(take_packet(buffered)->type, pingresp);
  EXPECT_TRUE(buffered.empty());
}

TEST(Mqtt311, WhatIsNoAnswerIsRefused) {
  std::string endless = octets({0x40, 0xff, 0xff, 0xff, 0xff, 1});
  EXPECT_THROW((void)take_packet(endless), std::runtime_error);
  std::string large = octets({0x40, 0xff, 0x7f});
  EXPECT_THROW((void)take_packet(large), std::runtime_error);
}

}  // namespace
}  // namespace gnutls_client
