#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "online/shop.h"

namespace fewshop::http {

/// What was answered, so that what happened next can be joined to it later: one JSON object a line,
///   {"time":"2026-11-26T06:05:15.123456Z","id":"RECOMMENDATION","scenario":"...","version":"...","served":"adapted",
///    "support":3,"items":["sku-1",...],"scores":[0.71,...]}
/// An event that carries the id as `recommendation_id` is an outcome of the answer. No user is named here.
///
/// Sampled: a share of the answers, drawn by their ids. Bounded: two files of at most half of `most_mb` each, the older
/// of which ends in ".1"; where lines come faster than the disk takes them, the oldest that wait go. Safe from any
/// thread.
class AnswerLog {
 public:
  struct Options {
    std::string path;
    double share = 0.1;
    int most_mb = 100;
  };
  /// Throws Failure where the file cannot be opened.
  explicit AnswerLog(const Options& options);
  ~AnswerLog();  // writes what is queued
  AnswerLog(const AnswerLog&) = delete;
  AnswerLog& operator=(const AnswerLog&) = delete;

  void answered(const ListReply& reply, Micros now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fewshop::http
