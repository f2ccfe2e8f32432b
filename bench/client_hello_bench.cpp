// How fast a ClientHello is read: the first thing that every connection costs.
#include <string>

#include <benchmark/benchmark.h>

#include "fixtures/cloud/endpoint/client_hello.h"

namespace {

using hilmark::Bytes;

void append16(Bytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

/// A ClientHello of TLS 1.2 with an endpoint's name, in one record.
Bytes record_with_client_hello() {
  const std::string name = "abcdefghijklmn-ats.iot.us-east-1.amazonaws.com";
  Bytes names{0};
  append16(names, name.size());
  names.insert(names.end(), name.begin(), name.end());
  Bytes extension{0, 0};
  append16(extension, names.size() + 2);
  append16(extension, names.size());
  extension.insert(extension.end(), names.begin(), names.end());
  Bytes body{3, 3};
  body.insert(body.end(), 32, 7);
  body.push_back(0);
  append16(body, 2);
  append16(body, 0xc02b);
  body.insert(body.end(), {1, 0});
  append16(body, extension.size());
  body.insert(body.end(), extension.begin(), extension.end());
  Bytes message{1, 0};
  append16(message, body.size());
  message.insert(message.end(), body.begin(), body.end());
  Bytes record{22, 3, 1};
  append16(record, message.size());
  record.insert(record.end(), message.begin(), message.end());
  return record;
}

void read_client_hello(benchmark::State& state) {
  const Bytes record = record_with_client_hello();
  for (auto _ : state) {
    hilmark::cloud::ClientHelloReader reader;
    if (reader.feed(record) != hilmark::cloud::ClientHelloReader::State::complete ||
        !reader.hello().malformed.empty()) {
      state.SkipWithError("not read");
    }
    benchmark::DoNotOptimize(reader.hello());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * record.size()));
}
BENCHMARK(read_client_hello);

}  // namespace
