#include "app/mqtt.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::string_literals;

struct Packet {
  int type;
  int flags;
  std::string body;
};

// Reads `octets`, handed over `step` at a time. Nothing after a malformed packet.
std::vector<Packet> read_all(const std::string& octets, std::size_t step, bool* malformed = nullptr) {
  mqtt_reader reader;
  mqtt_reader_reset(&reader);
  std::vector<Packet> packets;
  for (std::size_t at = 0; at < octets.size();) {
    const std::string_view part = std::string_view(octets).substr(at, step);
    std::size_t taken = 0;
    const auto result =
        mqtt_reader_feed(&reader, reinterpret_cast<const std::uint8_t*>(part.data()), part.size(), &taken);
    at += taken;
    if (result == MQTT_READER_PACKET) {
      const auto kept = std::min<std::size_t>(reader.body_bytes, sizeof reader.kept);
      packets.push_back({reader.type, reader.flags, std::string(reinterpret_cast<const char*>(reader.kept), kept)});
    }
    if (result == MQTT_READER_MALFORMED) {
      if (malformed != nullptr) *malformed = true;
      return packets;
    }
  }
  return packets;
}

mqtt_reader whole(const std::string& octets) {
  mqtt_reader reader;
  mqtt_reader_reset(&reader);
  std::size_t taken = 0;
  EXPECT_EQ(mqtt_reader_feed(&reader, reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size(), &taken),
            MQTT_READER_PACKET);
  EXPECT_EQ(taken, octets.size());
  return reader;
}

std::string written(const std::uint8_t* out, std::size_t size_bytes) {
  return {reinterpret_cast<const char*>(out), size_bytes};
}

TEST(MqttWriter, ConnectIsAsTheStandardHasIt) {
  std::uint8_t out[64];
  const mqtt_connect connect = {"unit", 60, false, false};
  EXPECT_EQ(written(out, mqtt_write_connect(out, sizeof out, &connect)), "\x10\x10\0\4MQTT\4\0\0\x3c\0\4unit"s);
  const mqtt_connect deviating = {"unit", 60, true, true};
  EXPECT_EQ(written(out, mqtt_write_connect(out, sizeof out, &deviating)), "\x10\x10\0\4MQTT\4\3\0\x3c\0\4unit"s);
}

TEST(MqttWriter, PublishCarriesPacketIdAndDuplicateFlag) {
  std::uint8_t out[64];
  mqtt_publish publish = {"a/b", "hi", 2, 0x1234, false};
  EXPECT_EQ(written(out, mqtt_write_publish(out, sizeof out, &publish)), "\x32\x09\0\3a/b\x12\x34hi"s);
  publish.duplicate = true;
  EXPECT_EQ(written(out, mqtt_write_publish(out, sizeof out, &publish)), "\x3a\x09\0\3a/b\x12\x34hi"s);
}

TEST(MqttWriter, LongBodiesHaveLongLengths) {
  std::vector<std::uint8_t> out(40000);
  const std::string payload(20000, 'x');
  const mqtt_publish publish = {"t", payload.data(), payload.size(), 1, false};
  ASSERT_EQ(mqtt_write_publish(out.data(), out.size(), &publish), 1 + 3 + 20005U);
  EXPECT_EQ(written(out.data(), 4), "\x32\xa5\x9c\x01"s);
}

TEST(MqttWriter, WhatDoesNotFitIsNotWritten) {
  std::uint8_t out[64];
  const mqtt_connect connect = {"unit", 60, false, false};
  for (std::size_t room = 0; room < 18; room++) EXPECT_EQ(mqtt_write_connect(out, room, &connect), 0U);
  EXPECT_EQ(mqtt_write_connect(out, 18, &connect), 18U);
  EXPECT_EQ(mqtt_write_empty(out, 1, MQTT_PINGREQ), 0U);
  EXPECT_EQ(mqtt_write_puback(out, 3, 7), 0U);
}

TEST(MqttReader, TakesPacketsInPiecesOfAnySize) {
  const std::string octets =
      "\x20\x02\1\0"s + "\xd0\0"s + "\x40\x02\0\7"s + "\x32\x80\x03"s + std::string(384, 'z') + "\x40\x02\0\x08"s;
  for (const std::size_t step : {1, 2, 3, 5, 7, 100, 10000}) {
    const auto packets = read_all(octets, step);
    ASSERT_EQ(packets.size(), 5U) << step;
    EXPECT_EQ(packets[0].type, MQTT_CONNACK);
    EXPECT_EQ(packets[0].body, "\1\0"s);
    EXPECT_EQ(packets[1].type, MQTT_PINGRESP);
    EXPECT_EQ(packets[2].body, "\0\7"s);
    EXPECT_EQ(packets[3].type, MQTT_PUBLISH);
    EXPECT_EQ(packets[3].body, std::string(MQTT_READER_KEPT_BYTES, 'z'));
    EXPECT_EQ(packets[4].body, "\0\x08"s);
  }
}

TEST(MqttReader, ALengthOfFiveOctetsIsMalformed) {
  for (const std::size_t step : {1, 10}) {
    bool malformed = false;
    EXPECT_TRUE(read_all("\x30\xff\xff\xff\xff\x01"s, step, &malformed).empty());
    EXPECT_TRUE(malformed);
  }
}

TEST(MqttReader, ConnackIsHeldToItsForm) {
  mqtt_connack connack;
  auto packet = whole("\x20\x02\1\0"s);
  ASSERT_TRUE(mqtt_read_connack(&packet, &connack));
  EXPECT_TRUE(connack.session_present);
  packet = whole("\x20\x02\0\5"s);
  ASSERT_TRUE(mqtt_read_connack(&packet, &connack));
  EXPECT_EQ(connack.return_code, 5);
  for (const auto& bad : {"\x21\x02\0\0"s, "\x20\x01\0"s, "\x20\x03\0\0\0"s, "\x20\x02\2\0"s, "\x20\x02\1\5"s}) {
    packet = whole(bad);
    EXPECT_FALSE(mqtt_read_connack(&packet, &connack));
  }
}

TEST(MqttReader, PubackIsHeldToItsForm) {
  std::uint16_t packet_id = 0;
  auto packet = whole("\x40\x02\x12\x34"s);
  ASSERT_TRUE(mqtt_read_puback(&packet, &packet_id));
  EXPECT_EQ(packet_id, 0x1234);
  for (const auto& bad : {"\x40\x02\0\0"s, "\x42\x02\0\1"s, "\x40\x01\1"s}) {
    packet = whole(bad);
    EXPECT_FALSE(mqtt_read_puback(&packet, &packet_id));
  }
}

TEST(MqttReader, PublishSaysHowToAcknowledgeIt) {
  std::uint16_t packet_id = 9;
  auto packet = whole("\x30\x04\0\1ax"s);
  ASSERT_TRUE(mqtt_read_publish(&packet, &packet_id));
  EXPECT_EQ(packet_id, 0);
  packet = whole("\x32\x05\0\1a\0\7"s);
  ASSERT_TRUE(mqtt_read_publish(&packet, &packet_id));
  EXPECT_EQ(packet_id, 7);
  // No topic length; topic past the end; no packet id; packet id 0; QoS 2; QoS 3; DUP with QoS 0.
  for (const auto& bad : {"\x30\x01\0"s, "\x30\x03\0\5a"s, "\x32\x03\0\1a"s, "\x32\x05\0\1a\0\0"s, "\x34\x05\0\1a\0\7"s,
                          "\x36\x05\0\1a\0\7"s, "\x38\x03\0\1a"s}) {
    packet = whole(bad);
    EXPECT_FALSE(mqtt_read_publish(&packet, &packet_id));
  }
  packet = whole("\x32\xb0\x02\1\x2c"s + std::string(302, 'a'));
  EXPECT_FALSE(mqtt_read_publish(&packet, &packet_id));  // a topic of 300
}

}  // namespace
