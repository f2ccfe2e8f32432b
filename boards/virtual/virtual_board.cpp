#include "boards/virtual/virtual_board.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "boards/virtual/bootloader_models.h"

namespace virtual_lab {

VirtualBoard::VirtualBoard(UnitSpec spec, FlashStore flash, Surroundings surroundings)
    : spec_(std::move(spec)),
      faults_(spec_.faults),
      around_(surroundings),
      store_(std::move(flash)),
      flash_(spec_.layout, store_.cells()),
      core_bus_(flash_, spec_.image_max_bytes),
      model_([this] { return image().has_value(); }) {}

VirtualBoard::~VirtualBoard() {
  around_.loop.cancel(timer_);
  stop_core();
  leave_bus();
}

void VirtualBoard::handle(BoardInput input) {
  const BoardState before = model_.state();
  std::vector<BoardAction> actions;
  {
    const std::lock_guard lock(*mutex_);
    actions = model_.step(input);
  }
  // It restarts by itself, as by a jump: the faults may have it take its time, or never come back.
  const bool restarts =
      model_.state() == BoardState::starting && (before == BoardState::departing || input == BoardInput::bus_reset);
  for (BoardAction& action : actions) {
    if (restarts && action.kind == BoardAction::Kind::start_timer) {
      if (faults_.never_returns) continue;
      action.delay += faults_.return_late;
    }
    carry_out(action);
  }
  if (model_.state() != before) log(fmt::format("{} -> {}", name_of(before), name_of(model_.state())));
  if (spec_.hub_port == 0) around_.bus.show_power(spec_.port, model_.port_power());
}

void VirtualBoard::carry_out(const BoardAction& action) {
  switch (action.kind) {
    case BoardAction::Kind::stop_core:
      stop_core();
      return;
    case BoardAction::Kind::start_core:
      start_core();
      return;
    case BoardAction::Kind::leave_bus:
      leave_bus();
      return;
    case BoardAction::Kind::disconnect:
      plugged_.reset();
      return;
    case BoardAction::Kind::join_bus_as_bootloader:
      if (const auto found = image(); !found) log(fmt::format("stays in the bootloader: {}", found.error()));
      join_bus(make_bootloader(spec_, flash_, faults_));
      return;
    case BoardAction::Kind::join_bus_as_application:
      join_bus(console_);
      return;
    case BoardAction::Kind::start_timer:
      around_.loop.cancel(timer_);
      timer_ = around_.loop.after(action.delay, [this] {
        timer_ = 0;
        handle(BoardInput::timer);
      });
      return;
  }
}

void VirtualBoard::start_core() {
  // A new console each time: nothing that an earlier firmware said is left in it.
  console_ = make_application(spec_, faults_);
  firmware_end_.clear();
  NativeCore::Ports ports;
  ports.console_output = [this](ByteView bytes) {
    {
      const std::lock_guard lock(*mutex_);
      if (console_) console_->write_output(bytes);
    }
    if (plugged_) plugged_->pump();
  };
  ports.console_has_room = [this] { forward_input(); };
  ports.bus_request = [this](ByteView request) { serve_bus_request(request); };
  ports.error_output = [this](std::string_view text) { log(text); };
  ports.ended = [this](const std::string& how) {
    log(how);
    firmware_end_ = how;
    stop_core();  // the board stays as it is, and silent
  };
  const auto found = image();
  auto core = found ? NativeCore::start(around_.loop, spec_.id, *found, around_.network, std::move(ports))
                    : failure(found.error());
  if (!core) {
    firmware_end_ = core.error();
    log(core.error());
    return;
  }
  core_ = std::move(*core);
  log(fmt::format("starts {} as process {}", found->build_id, core_->pid()));
}

void VirtualBoard::stop_core() {
  // What was under way in the flash stays as it is.
  around_.loop.cancel(bus_timer_);
  bus_timer_ = 0;
  core_.reset();
}

void VirtualBoard::join_bus(std::shared_ptr<UsbDevice> device) {
  std::optional<BoardBus::Plug::Tty> tty;
  if (spec_.tty && device == console_) tty = {0, CdcModel::data_out, CdcModel::data_in};
  auto joined = around_.bus.plug({.port = spec_.port,
                                  .model = std::move(device),
                                  .board_mutex = mutex_,
                                  .on_event = [this](const DeviceEvent& event) { handle_device_event(event); },
                                  .tty = tty,
                                  .hub_port = spec_.hub_port});
  if (!joined) {
    log(joined.error());
    return;
  }
  plugged_ = std::move(*joined);
  ++plug_count_;
}

void VirtualBoard::leave_bus() {
  around_.loop.cancel(retry_timer_);
  retry_timer_ = 0;
  plugged_.reset();
  console_.reset();
}

void VirtualBoard::handle_device_event(const DeviceEvent& event) {
  switch (event.kind) {
    case DeviceEvent::Kind::start_image:
      return handle(BoardInput::start_image);
    case DeviceEvent::Kind::enter_bootloader:
      return handle(BoardInput::detach);
    case DeviceEvent::Kind::restart:
      return handle(model_.state() == BoardState::application ? BoardInput::core_reset : BoardInput::restart);
    case DeviceEvent::Kind::bus_reset:
      return handle(BoardInput::bus_reset);
    case DeviceEvent::Kind::unplug:
      return handle(BoardInput::unplug);
    case DeviceEvent::Kind::console_input:
      return forward_input();
    case DeviceEvent::Kind::port_power:
      return;  // hubs only
    case DeviceEvent::Kind::retry:
      around_.loop.cancel(retry_timer_);
      retry_timer_ = around_.loop.after(event.delay, [this] {
        retry_timer_ = 0;
        if (plugged_) plugged_->pump();
      });
      return;
  }
}

void VirtualBoard::forward_input() {
  if (!core_ || !console_ || !plugged_) return;
  Bytes input;
  {
    const std::lock_guard lock(*mutex_);
    input = console_->pending_input();
  }
  const std::size_t taken = core_->write_console(input);
  if (taken == 0) return;
  {
    const std::lock_guard lock(*mutex_);
    console_->consume_input(taken);
  }
  plugged_->pump();
}

void VirtualBoard::serve_bus_request(ByteView request) {
  BusAnswer answer;
  {
    const std::lock_guard lock(*mutex_);
    answer = core_bus_.answer(request);
  }
  if (answer.busy.count() > 0) {
    bus_timer_ = around_.loop.after(answer.busy, [this] {
      bus_timer_ = 0;
      Bytes reply;
      {
        const std::lock_guard lock(*mutex_);
        reply = core_bus_.finish();
      }
      core_->reply_on_bus(reply);
    });
  }
  if (answer.reply) core_->reply_on_bus(*answer.reply);
  if (answer.then == BusAnswer::Then::reset) handle(BoardInput::core_reset);
  if (answer.then == BusAnswer::Then::enter_bootloader) handle(BoardInput::core_enter_bootloader);
}

Result<FirmwareImage> VirtualBoard::image() const {
  return find_image(flash_.cells(), spec_.chip, spec_.image_max_bytes);
}

std::string VirtualBoard::status_json() const {
  const std::lock_guard lock(*mutex_);
  const auto found = image();
  boost::json::object status;
  status["version"] = 1;
  status["unit"] = spec_.id;
  status["port"] = spec_.port_name();
  status["state"] = std::string(name_of(model_.state()));
  status["power"] = model_.port_power();
  status["plugged"] = model_.plugged();
  status["boot_pin"] = model_.boot_pin();
  status["plug_count"] = plug_count_;
  const auto number = plugged_ ? plugged_->device_number() : std::nullopt;
  status["device_number"] = number ? boost::json::value(*number) : nullptr;
  status["core_pid"] = core_ ? boost::json::value(core_->pid()) : nullptr;
  status["image"] = found ? boost::json::value(found->build_id) : nullptr;
  status["no_image_because"] = found ? boost::json::value(nullptr) : boost::json::value(found.error());
  status["firmware_ended"] = firmware_end_.empty() ? boost::json::value(nullptr) : boost::json::value(firmware_end_);
  status["console_bytes_dropped"] = console_ ? console_->dropped_output_bytes() : 0;
  status["flash"] = {{"erases", boost::json::value_from(flash_.erases())},
                     {"programs", boost::json::value_from(flash_.programs())}};
  return boost::json::serialize(status);
}

}  // namespace virtual_lab
