// DFU 1.1 (and 1.0) without I/O: told what came of the last request, it says what the next one is.
// Sources: DFU 1.1 section 6.1 and appendix A.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "drivers/dfu/dfu_machine.h"

namespace hilmark {

/// One thing to have done. Each ends with the board in a state from which the next may begin.
struct DfuOperation {
  enum class Kind {
    to_idle,    ///< out of whatever state, dfuERROR included, into dfuIDLE
    write,      ///< `data` as block `block`
    manifest,   ///< the end of a download: what was written becomes valid
    read,       ///< block `block`, `size_bytes` of it at most
    reset_bus,  ///< the host's part in leaving DFU mode; the board leaves the bus and comes back as what it boots
  } kind = Kind::to_idle;
  std::uint16_t block = 0;  ///< wBlockNum
  ByteView data;            ///< must outlive the core
  std::uint16_t size_bytes = 0;
};

/// Without bitManifestationTolerant, `manifest` ends in dfuMANIFEST-WAIT-RESET, or with the board gone, and only
/// `reset_bus` may follow.
class DfuCore final : public DfuMachine {
 public:
  DfuCore(std::vector<DfuOperation> operations, bool manifestation_tolerant)
      : DfuMachine(operations.size(), manifestation_tolerant), operations_(std::move(operations)) {}

  /// Whether manifestation brought the board back to dfuIDLE, from where it can be read.
  [[nodiscard]] bool is_idle() const { return status().state == DfuState::idle; }

 private:
  [[nodiscard]] const DfuOperation& operation() const { return operations_[at()]; }
  [[nodiscard]] DfuAction request() override;
  [[nodiscard]] DfuAction judge(const DfuStatus& status) override;
  [[nodiscard]] DfuAction take(ByteView data) override;
  [[nodiscard]] bool goes_to_idle() const override { return operation().kind == DfuOperation::Kind::to_idle; }
  [[nodiscard]] bool may_leave() const override;
  [[nodiscard]] std::string doing() const override;
  DfuAction judge_manifestation(const DfuStatus& status);

  std::vector<DfuOperation> operations_;
};

/// The operations that put `content` in its place: blocks of `transfer_bytes`, numbered from 0 and again from 0 after
/// 65535, then manifestation.
[[nodiscard]] std::vector<DfuOperation> dfu_download(ByteView content, std::uint16_t transfer_bytes);
/// Those that read the first `size_bytes`, in whole blocks: more may come, or less if the firmware ends before.
[[nodiscard]] std::vector<DfuOperation> dfu_upload(std::size_t size_bytes, std::uint16_t transfer_bytes);

}  // namespace hilmark
