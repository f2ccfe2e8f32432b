// DfuSe without I/O: told what came of the last request, it says what the next one is.
// Sources: DFU 1.1 appendix A (states); ST AN3156 (the USB DFU protocol of the STM32 bootloader).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "drivers/dfu/dfu_machine.h"

namespace hilmark {

/// One thing to have done. Each ends with the board in a state from which the next may begin.
struct DfuSeOperation {
  enum class Kind {
    to_idle,      ///< out of whatever state, dfuERROR included, into dfuIDLE
    erase,        ///< the sector at `address`
    erase_all,    ///< the whole flash at once
    set_address,  ///< the pointer that blocks count from
    write,        ///< `data` as block `block` (0, 1, 2 … from the pointer on)
    read,         ///< `size_bytes` of block `block`
    leave,        ///< start what is at `address`: the board leaves the bus
  } kind = Kind::to_idle;
  std::uint32_t address = 0;
  std::uint16_t block = 0;
  ByteView data;  ///< must outlive the core
  std::uint16_t size_bytes = 0;
};

class DfuSeCore final : public DfuMachine {
 public:
  // ST's bootloaders leave the bus after dfuMANIFEST.
  explicit DfuSeCore(std::vector<DfuSeOperation> operations)
      : DfuMachine(operations.size(), false), operations_(std::move(operations)) {}

 private:
  [[nodiscard]] const DfuSeOperation& operation() const { return operations_[at()]; }
  [[nodiscard]] DfuAction request() override;
  [[nodiscard]] DfuAction judge(const DfuStatus& status) override;
  [[nodiscard]] DfuAction take(ByteView data) override;
  [[nodiscard]] bool goes_to_idle() const override { return operation().kind == DfuSeOperation::Kind::to_idle; }
  [[nodiscard]] bool may_leave() const override { return operation().kind == DfuSeOperation::Kind::leave; }
  [[nodiscard]] std::string doing() const override;

  std::vector<DfuSeOperation> operations_;
};

/// The operations that put `content` at `address`, having erased `erase` (sector addresses).
[[nodiscard]] std::vector<DfuSeOperation> dfuse_download(const std::vector<std::uint32_t>& erase, std::uint32_t address,
                                                         ByteView content, std::uint16_t transfer_bytes);
/// The operations that read it.
[[nodiscard]] std::vector<DfuSeOperation> dfuse_upload(std::uint32_t address, std::size_t size_bytes,
                                                       std::uint16_t transfer_bytes);
/// The operations that erase the whole flash (AN3156: mass erase).
[[nodiscard]] std::vector<DfuSeOperation> dfuse_erase_all();
[[nodiscard]] std::vector<DfuSeOperation> dfuse_leave(std::uint32_t address);

/// What one pointer can reach: wBlockNum has 16 bits, and data counts from 2.
[[nodiscard]] constexpr std::size_t dfuse_reach_bytes(std::uint16_t transfer_bytes) {
  return std::size_t{transfer_bytes} * 0xfffd;
}

}  // namespace hilmark
