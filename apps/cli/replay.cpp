// fewshop replay: a log of events through a server, judged on the way.
#include "http/replay.h"

#include <fmt/format.h>

#include "command.h"

namespace fewshop::cli {
namespace {

using nlohmann::json;

std::string number(const json& value, const char* format) {
  return value.is_number() ? fmt::format(fmt::runtime(format), value.get<double>()) : "-";
}

void print(const json& result) {
  fmt::print("{} events of {} users in {:.1f} s, {} rejected, {} duplicates\n", result.at("events").get<int64_t>(),
             result.at("users").get<int64_t>(), result.at("seconds").get<double>(),
             result.at("rejected").get<int64_t>(), result.at("duplicates").get<int64_t>());
  const json& rows = result.at("rows");
  if (rows.contains("error"))
    fmt::print("rows      not compared: {}\n", rows.at("error").get<std::string>());
  else if (rows.at("difference") != "")
    fmt::print("rows      DIFFERENT: {}\n", rows.at("difference").get<std::string>());
  else
    fmt::print("rows      online = offline: {} support rows of {} users\n", rows.at("rows").get<int64_t>(),
               rows.at("users").get<int64_t>());
  fmt::print("next purchase after k events\n  {:>3} {:>10} {:>10} {:>10} {:>18} {:>18}\n", "k", "questions",
             "recall@10", "mrr@10", "popular recall@10", "popular mrr@10");
  for (const json& point : result.at("curve"))
    fmt::print("  {:>3} {:>10} {:>10.4f} {:>10.4f} {:>18.4f} {:>18.4f}\n", point.at("k").get<int>(),
               point.at("questions").get<int64_t>(), point.at("recall@10").get<double>(),
               point.at("mrr@10").get<double>(), point.at("popular").at("recall@10").get<double>(),
               point.at("popular").at("mrr@10").get<double>());
  const json& effect = result.at("effect_ms");
  fmt::print("event to an answer that reflects it: p50 {} ms, p99 {} ms ({} times)\n",
             number(effect.at("p50"), "{:.2f}"), number(effect.at("p99"), "{:.2f}"), effect.at("count").get<int64_t>());
  const json& value = result.at("value");
  fmt::print("value bought: {:.2f}, share of it that was in the list: {} (popular: {})\n",
             value.at("bought").get<double>(), number(value.at("share"), "{:.4f}"),
             number(value.at("popular_share"), "{:.4f}"));
}

}  // namespace

void add_replay(CLI::App& app, Globals& globals) {
  auto options = std::make_shared<http::ReplayOptions>();
  CLI::App* command = app.add_subcommand("replay", "feed a log of events to a server or a model, and judge its lists");
  command->add_option("log", options->log, "canonical events, one JSON object a line")->required()->type_name("LOG");
  command->add_option("--against", options->against, "bundle folder, or address of a server (http://host:8087)")
      ->required()
      ->type_name("URL|MODEL");
  command->add_option("--data", options->data, "bundle: database whose items and users are known from the start")
      ->type_name("DB");
  command->add_option("--scenario", options->scenario, "server: whose model answers");
  command->add_option("--key", options->key, "server: a key");
  command->add_option("--limit", options->limit, "events, the first ones; 0 = all")->check(CLI::NonNegativeNumber);
  command->add_option("--bought", options->bought, "kinds of event that a list is judged by, purchase by default")
      ->delimiter(',');
  command->callback([options, &globals] {
    const json result = http::replay(*options);
    if (globals.json)
      print_json(result);
    else
      print(result);
  });
}

}  // namespace fewshop::cli
