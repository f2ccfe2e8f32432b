// A stream that is read and written on a thread of its own. For the .cpp files of the ports: Asio is slow to parse.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "harness/base/bytes.h"
#include "harness/base/clock.h"

namespace hilmark {

/// Stream: an Asio stream that has async_read_some and async_write_some. `io()` and `stream()` may be used by others
/// until start(), and afterwards on the thread alone.
template <class Stream>
class StreamThread {
 public:
  using ErrorCode = boost::system::error_code;
  /// Called on the thread; they must not destroy it. `on_end` at most once, and nothing is called after it.
  struct Callbacks {
    std::function<void(ByteView)> on_data;
    std::function<void(const ErrorCode&)> on_end;
  };

  StreamThread() = default;
  StreamThread(const StreamThread&) = delete;
  StreamThread& operator=(const StreamThread&) = delete;
  ~StreamThread() { stop(); }
  /// Ends the thread: no callback runs any more.
  void stop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] boost::asio::io_context& io() { return io_; }
  [[nodiscard]] Stream& stream() { return stream_; }

  /// Starts the thread without touching the stream.
  void run() {
    io_.restart();
    thread_ = std::thread([this] { io_.run(); });
  }
  /// Runs `work` on the thread, and waits for it.
  template <class Work>
  auto call(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto done = task.get_future();
    boost::asio::post(io_, std::ref(task));
    return done.get();
  }
  /// Begins to read. From any thread.
  void start(Callbacks callbacks) {
    boost::asio::post(io_, [this, callbacks = std::move(callbacks)]() mutable {
      callbacks_ = std::move(callbacks);
      read();
    });
  }

  /// From any other thread than this one. What the stream does not take within the limit is not sent any more.
  /// `device` names it in errors: timeout, rig.
  [[nodiscard]] Result<void> write(ByteView data, Milliseconds limit, const std::string& device) {
    auto piece = std::make_shared<Piece>(Bytes(data.begin(), data.end()));
    auto done = piece->done.get_future();
    boost::asio::post(io_, [this, piece] { enqueue(piece); });
    const bool late = done.wait_for(limit) != std::future_status::ready;
    if (late) boost::asio::post(io_, [this, piece] { give_up(piece); });
    const ErrorCode error = done.get();
    if (!error) return {};
    if (late && error == boost::asio::error::operation_aborted) {
      return fail(ErrorKind::timeout, "{} took not all of {} octets within {} ms", device, data.size(), limit.count());
    }
    return fail(ErrorKind::rig, "{}: writing: {}", device, error.message());
  }
  /// On the thread: for answers that the protocol itself gives. Returns false where too many wait already.
  [[nodiscard]] bool send(Bytes data) {
    constexpr std::size_t max_waiting = 256;
    if (outgoing_.size() >= max_waiting) return false;
    enqueue(std::make_shared<Piece>(std::move(data)));
    return true;
  }

  /// On the thread: hands on what can be read at once, and ends. For streams that have non_blocking().
  void drain_and_end(const ErrorCode& how) {
    finish_ = [this, how] {
      ErrorCode error;
      stream_.non_blocking(true, error);
      while (!error && !ended_) {
        const std::size_t size = stream_.read_some(boost::asio::buffer(buffer_), error);
        if (!error) callbacks_.on_data(ByteView(buffer_).first(size));
      }
      end(how);
    };
    // The read under way may have its data already, and comes first.
    cancel_read_.emit(boost::asio::cancellation_type::terminal);
  }
  /// On the thread: no callback is called any more.
  void fall_silent() { ended_ = true; }
  void end(const ErrorCode& how) {
    if (std::exchange(ended_, true)) return;
    ErrorCode ignored;
    stream_.cancel(ignored);
    callbacks_.on_end(how);
  }

 private:
  struct Piece {
    explicit Piece(Bytes octets) : data(std::move(octets)) {}
    Bytes data;
    std::promise<ErrorCode> done;
    boost::asio::cancellation_signal cancel;
  };

  void read() {
    const auto done = [this](const ErrorCode& error, std::size_t size) {
      if (!ended_ && size > 0) callbacks_.on_data(ByteView(buffer_).first(size));
      if (ended_) return;
      if (finish_) return finish_();
      if (error) return end(error);
      read();
    };
    stream_.async_read_some(boost::asio::buffer(buffer_),
                            boost::asio::bind_cancellation_slot(cancel_read_.slot(), done));
  }

  void enqueue(const std::shared_ptr<Piece>& piece) {
    outgoing_.push_back(piece);
    if (outgoing_.size() == 1) write_next();
  }
  void write_next() {
    const std::shared_ptr<Piece> piece = outgoing_.front();
    boost::asio::async_write(
        stream_, boost::asio::buffer(piece->data),
        boost::asio::bind_cancellation_slot(piece->cancel.slot(), [this, piece](const ErrorCode& error, std::size_t) {
          outgoing_.pop_front();
          piece->done.set_value(error);
          if (!outgoing_.empty()) write_next();
        }));
  }
  void give_up(const std::shared_ptr<Piece>& piece) {
    if (!outgoing_.empty() && outgoing_.front() == piece) {
      piece->cancel.emit(boost::asio::cancellation_type::terminal);
      return;
    }
    for (auto waiting = outgoing_.begin(); waiting != outgoing_.end(); ++waiting) {
      if (*waiting != piece) continue;
      outgoing_.erase(waiting);
      piece->done.set_value(boost::asio::error::operation_aborted);
      return;
    }
  }

  boost::asio::cancellation_signal cancel_read_;  // outlives what it cancels
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  Stream stream_{io_};
  std::array<std::uint8_t, 4096> buffer_{};
  std::deque<std::shared_ptr<Piece>> outgoing_;
  Callbacks callbacks_;
  std::function<void()> finish_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace hilmark
