#include "drivers/dfu/dfu_core.h"

#include <algorithm>

namespace hilmark {

using Kind = DfuOperation::Kind;

DfuAction DfuCore::request() {
  const DfuOperation& now = operation();
  switch (now.kind) {
    case Kind::write:
      return DfuSend{DfuRequest::download, now.block, Bytes(now.data.begin(), now.data.end())};
    case Kind::manifest:
      return DfuSend{DfuRequest::download, now.block, {}};
    case Kind::read:
      return DfuReceive{DfuRequest::upload, now.block, now.size_bytes};
    case Kind::reset_bus:
      return DfuResetBus{};
    case Kind::to_idle:
      break;
  }
  return refuse("no such request");
}

DfuAction DfuCore::take(ByteView data) {
  if (data.size() > operation().size_bytes) {
    return refuse(fmt::format("it sent {} bytes where {} were asked for", data.size(), operation().size_bytes));
  }
  keep(data);
  if (data.size() == operation().size_bytes) return finish();
  // Section 6.2: a short block ends the upload; another request would begin a new one.
  const auto rest = operations_.begin() + static_cast<std::ptrdiff_t>(at()) + 1;
  const auto next =
      std::find_if(rest, operations_.end(), [](const DfuOperation& one) { return one.kind != Kind::read; });
  return finish(static_cast<std::size_t>(next - rest));
}

DfuAction DfuCore::judge(const DfuStatus& status) {
  if (operation().kind == Kind::manifest) return judge_manifestation(status);
  switch (status.state) {
    case DfuState::download_sync:
    case DfuState::download_busy:
      return ask_status();
    case DfuState::download_idle:
      if (operation().kind == Kind::write) return finish();
      break;
    default:
      break;
  }
  return refuse();
}

DfuAction DfuCore::judge_manifestation(const DfuStatus& status) {
  switch (status.state) {
    case DfuState::manifest_sync:
    case DfuState::download_busy:  // the last block is still being written
      return ask_status();
    case DfuState::manifest:
      // Its poll time over, it is in dfuMANIFEST-SYNC and asked, or in dfuMANIFEST-WAIT-RESET and must not be.
      return manifestation_tolerant() ? ask_status() : finish();
    case DfuState::manifest_wait_reset:
    case DfuState::idle:
      return finish();
    case DfuState::download_idle:
      return refuse("it does not take the download for complete");
    default:
      return refuse();
  }
}

bool DfuCore::may_leave() const {
  return operation().kind == Kind::reset_bus || (operation().kind == Kind::manifest && !manifestation_tolerant());
}

std::string DfuCore::doing() const {
  switch (operation().kind) {
    case Kind::to_idle:
      return "bringing the bootloader to dfuIDLE";
    case Kind::write:
      return fmt::format("writing block {}", operation().block);
    case Kind::manifest:
      return "ending the download (manifestation)";
    case Kind::read:
      return fmt::format("reading block {}", operation().block);
    case Kind::reset_bus:
      return "resetting it on the bus";
  }
  return "";
}

std::vector<DfuOperation> dfu_download(ByteView content, std::uint16_t transfer_bytes) {
  std::vector<DfuOperation> operations{{Kind::to_idle}};
  std::size_t done = 0;
  while (done < content.size()) {
    const std::size_t size = std::min<std::size_t>(transfer_bytes, content.size() - done);
    operations.push_back({Kind::write, static_cast<std::uint16_t>(done / transfer_bytes), content.subspan(done, size)});
    done += size;
  }
  operations.push_back({Kind::manifest, static_cast<std::uint16_t>((done + transfer_bytes - 1) / transfer_bytes)});
  return operations;
}

std::vector<DfuOperation> dfu_upload(std::size_t size_bytes, std::uint16_t transfer_bytes) {
  std::vector<DfuOperation> operations{{Kind::to_idle}};
  for (std::size_t block = 0; block * transfer_bytes < size_bytes; ++block) {
    operations.push_back({Kind::read, static_cast<std::uint16_t>(block), {}, transfer_bytes});
  }
  operations.push_back({Kind::to_idle});
  return operations;
}

}  // namespace hilmark
