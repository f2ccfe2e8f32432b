#include "drivers/usb/usb_recording.h"

#include <array>
#include <cerrno>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>

#include "harness/base/write_all.h"

namespace hilmark {
namespace {

namespace json = boost::json;
using Kind = UsbTransfer::Kind;

constexpr std::size_t max_line_bytes = 64U << 10;
constexpr std::array<std::string_view, 4> kinds{"control_out", "control_in", "bulk_out", "bulk_in"};
constexpr std::array<std::string_view, 7> results{"ok", "gone", "stall", "timeout", "access", "busy", "other"};

bool is_control(Kind kind) { return kind == Kind::control_out || kind == Kind::control_in; }

template <std::size_t Count>
std::optional<std::size_t> index_of(const std::array<std::string_view, Count>& names, std::string_view name) {
  for (std::size_t index = 0; index < Count; ++index) {
    if (names[index] == name) return index;
  }
  return std::nullopt;
}

/// Reads the members of one object, and notes the first that is missing or wrong.
class Members {
 public:
  explicit Members(const json::object& object) : object_(object) {}

  std::string text(const char* name) {
    const json::value* value = object_.if_contains(name);
    const json::string* text = value == nullptr ? nullptr : value->if_string();
    if (text != nullptr) return {text->data(), text->size()};
    blame(name, "a text");
    return {};
  }
  std::int64_t number(const char* name, std::int64_t most) {
    const json::value* value = object_.if_contains(name);
    const std::int64_t* number = value == nullptr ? nullptr : value->if_int64();
    if (number != nullptr && *number >= 0 && *number <= most) return *number;
    blame(name, fmt::format("a number from 0 to {}", most));
    return 0;
  }
  void blame(std::string_view name, const std::string& expected) {
    if (fault_.empty()) fault_ = fmt::format("expected {} for `{}`", expected, name);
  }
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  const json::object& object_;
  std::string fault_;
};

}  // namespace

std::string_view name_of(UsbFault fault) {
  switch (fault) {
    case UsbFault::gone:
      return "gone";
    case UsbFault::stall:
      return "stall";
    case UsbFault::timeout:
      return "timeout";
    case UsbFault::access:
      return "access";
    case UsbFault::busy:
      return "busy";
    case UsbFault::other:
      break;
  }
  return "other";
}

std::string to_line(const UsbTransfer& transfer) {
  json::object line{{"at_us", transfer.at_us},
                    {"port", transfer.port},
                    {"id", to_text(transfer.id)},
                    {"kind", kinds[static_cast<std::size_t>(transfer.kind)]}};
  if (is_control(transfer.kind)) {
    line["request_type"] = transfer.setup.request_type;
    line["request"] = transfer.setup.request;
    line["value"] = transfer.setup.value;
    line["index"] = transfer.setup.index;
  } else {
    line["endpoint"] = transfer.endpoint;
  }
  line["length"] = transfer.length;
  line["data"] = to_hex(transfer.data);
  line["result"] = transfer.result;
  return json::serialize(line);
}

Result<UsbTransfer> parse_usb_transfer(std::string_view line) {
  if (line.size() > max_line_bytes) return fail(ErrorKind::usage, "a line of more than {} octets", max_line_bytes);
  boost::system::error_code broken;
  const json::value parsed = json::parse(json::string_view(line.data(), line.size()), broken);
  if (broken || !parsed.is_object()) return fail(ErrorKind::usage, "expected a JSON object");
  Members members(parsed.get_object());
  UsbTransfer transfer;
  constexpr std::int64_t max_time = std::int64_t{1} << 50U;
  transfer.at_us = members.number("at_us", max_time);
  transfer.port = members.text("port");
  if (const auto id = parse_usb_id(members.text("id"))) {
    transfer.id = *id;
  } else {
    members.blame("id", "USB ids such as \"0483:df11\"");
  }
  if (const auto kind = index_of(kinds, members.text("kind"))) {
    transfer.kind = static_cast<Kind>(*kind);
  } else {
    members.blame("kind", "control_out, control_in, bulk_out or bulk_in");
  }
  if (is_control(transfer.kind)) {
    transfer.setup.request_type = static_cast<std::uint8_t>(members.number("request_type", 0xff));
    transfer.setup.request = static_cast<std::uint8_t>(members.number("request", 0xff));
    transfer.setup.value = static_cast<std::uint16_t>(members.number("value", 0xffff));
    transfer.setup.index = static_cast<std::uint16_t>(members.number("index", 0xffff));
  } else {
    transfer.endpoint = static_cast<std::uint8_t>(members.number("endpoint", 0xff));
  }
  transfer.length = static_cast<std::size_t>(members.number("length", max_line_bytes));
  if (auto data = from_hex(members.text("data"))) {
    transfer.data = std::move(*data);
  } else {
    members.blame("data", "octets in hexadecimal");
  }
  transfer.result = members.text("result");
  if (!index_of(results, transfer.result)) members.blame("result", "ok, or how it failed");
  if (!members.fault().empty()) return fail(ErrorKind::usage, "{}", members.fault());
  return transfer;
}

Result<std::vector<UsbTransfer>> read_usb_recording(const std::filesystem::path& path) {
  const auto content = read_file(path);
  if (!content) return fail(content.error());
  const std::string text = as_text(*content);
  std::vector<UsbTransfer> transfers;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    ++number;
    auto transfer = parse_usb_transfer(std::string_view(text).substr(at, end - at));
    if (!transfer) return fail(transfer.error(), "{}:{}", path.string(), number);
    transfers.push_back(std::move(*transfer));
    at = end + 1;
  }
  return transfers;
}

Result<std::unique_ptr<UsbRecorder>> UsbRecorder::create(const std::filesystem::path& path, const Clock& clock) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail(ErrorKind::usage, "cannot write {}: {}", path.string(), errno_text(errno));
  return std::unique_ptr<UsbRecorder>(new UsbRecorder(path, std::move(fd), clock));
}

void UsbRecorder::add(UsbTransfer transfer) {
  const std::lock_guard lock(mutex_);
  transfer.at_us = std::chrono::duration_cast<std::chrono::microseconds>(clock_.now() - begun_).count();
  if (errno_ == 0 && !write_all(fd_.get(), to_line(transfer) + "\n")) errno_ = errno;
}

Result<void> UsbRecorder::trouble() const {
  const std::lock_guard lock(mutex_);
  if (errno_ == 0) return {};
  return fail(ErrorKind::rig, "{}: {}", path_.string(), errno_text(errno_));
}

}  // namespace hilmark
