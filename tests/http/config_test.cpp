#include "http/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/error.h"
#include "support/temp_dir.h"

namespace fewshop::http {
namespace {

using ::testing::HasSubstr;

/// A file and an environment to read a configuration from.
class ConfigTest : public ::testing::Test {
 protected:
  Config read(const std::string& file, const std::vector<std::string>& overrides = {}) {
    return read_config(file.empty() ? "" : folder_.write("serve.toml", file), overrides,
                       [this](const std::string& name) {
                         const auto found = environment_.find(name);
                         return found == environment_.end() ? std::nullopt : std::optional(found->second);
                       });
  }
  std::string refusal(const std::string& file, const std::vector<std::string>& overrides = {}) {
    try {
      read(file, overrides);
    } catch (const InvalidInput& problem) {
      return problem.what();
    }
    return "";
  }

  testing::TempDir folder_;
  std::map<std::string, std::string> environment_;
};

TEST_F(ConfigTest, TheCommandLineBeatsTheFileAndTheFileBeatsTheEnvironment) {
  EXPECT_EQ(read("").server.port, 8087);
  environment_ = {{"FEWSHOP_SERVER_PORT", "1001"},
                  {"FEWSHOP_SERVER_LOG", "of-environment"},
                  {"FEWSHOP_DATABASE_ROWS_PER_USER", "11"},
                  {"FEWSHOP_RECOMMEND_ANSWER_LOG_SHARE", "0.25"}};
  EXPECT_EQ(read("").server.port, 1001);
  const std::string file = "[server]\nport = 1002\nlog = \"of-file\"\n[database]\nrows_per_user = 12\n";
  EXPECT_EQ(read(file).server.port, 1002);
  const Config config = read(file, {"server.port=1003"});
  EXPECT_EQ(config.server.port, 1003);
  EXPECT_EQ(config.server.log, "of-file");
  EXPECT_EQ(config.database.rows_per_user, 12);
  EXPECT_EQ(config.recommend.answer_log_share, 0.25);
}

TEST_F(ConfigTest, WhatIsWrongIsRefusedWhereItStands) {
  EXPECT_THAT(refusal("[server]\nport = 1\nprot = 2\n"), HasSubstr("serve.toml:3"));
  EXPECT_THAT(refusal("[server]\nport = 70000\n"), HasSubstr("serve.toml:2"));
  EXPECT_THAT(refusal("[sever]\n"), HasSubstr("unknown section"));
  EXPECT_THAT(refusal("server = 5\n"), HasSubstr("serve.toml:1: server: expected a section [server]"));
  EXPECT_THAT(refusal("", {"server.port=nowhere"}), HasSubstr("port"));
  environment_["FEWSHOP_SERVER_THREADS"] = "many";
  EXPECT_THAT(refusal(""), HasSubstr("FEWSHOP_SERVER_THREADS"));
}

TEST_F(ConfigTest, TheDefaultsAreAFileThatChangesNothing) {
  const std::string file = default_config();
  EXPECT_THAT(file, HasSubstr("# rows_per_user = 1000\n"));
  EXPECT_EQ(read(file).database.rows_per_user, Config().database.rows_per_user);
}

}  // namespace
}  // namespace fewshop::http
