#include "http/line_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <future>

namespace fewshop::http {
namespace {

using ::testing::ElementsAre;

/// Keeps what is written; the first line may have to wait, or not be written.
class Sink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  std::vector<std::string> lines;  // once the log has ended
  std::promise<void> begun;
  std::shared_future<void> go;
  bool fails = false;

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    if (fails) throw spdlog::spdlog_ex("no room");
    if (lines.empty() && go.valid()) {
      begun.set_value();
      go.wait();
    }
    lines.emplace_back(line.payload.data(), line.payload.size());
  }
  void flush_() override {}
};

TEST(LineLog, EveryLineIsWrittenInItsOrderBeforeTheLogEnds) {
  const auto sink = std::make_shared<Sink>();
  std::vector<std::string> written;
  {
    LineLog log({.sink = sink});
    for (int i = 0; i < 3000; ++i) {
      written.push_back(std::to_string(i));
      log.write(written.back());
      if (i % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
  }
  EXPECT_EQ(sink->lines, written);
}

TEST(LineLog, WhereTheDiskIsSlowTheOldestLinesGoAndTheLogSaysHowMany) {
  const auto sink = std::make_shared<Sink>();
  std::promise<void> go;
  sink->go = go.get_future();
  {
    LineLog log({.sink = sink, .most_waiting = 3, .lost = [](int64_t lost) { return std::to_string(lost) + " lost"; }});
    log.write("first");
    sink->begun.get_future().wait();
    for (int i = 1; i <= 8; ++i) log.write(std::to_string(i));
    go.set_value();
  }
  EXPECT_THAT(sink->lines, ElementsAre("first", "5 lost", "6", "7", "8"));
}

TEST(LineLog, ASinkThatFailsStopsNobody) {
  const auto sink = std::make_shared<Sink>();
  sink->fails = true;
  ::testing::internal::CaptureStderr();
  {
    LineLog log({.sink = sink});
    for (int round = 0; round < 3; ++round) {
      log.write("lost");
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
    }
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "fewshop: the log cannot be written: no room\n") << "said once";
}

}  // namespace
}  // namespace fewshop::http
