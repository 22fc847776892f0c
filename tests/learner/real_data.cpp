#include "learner/real_data.h"

#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <numeric>
#include <sstream>
#include <unordered_map>

#include "core/error.h"

namespace fewshop::testing {

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string packed((std::istreambuf_iterator<char>(in)), {});
  std::string text, buffer(1 << 20, '\0');
  ZSTD_DStream* stream = ZSTD_createDStream();
  ZSTD_inBuffer input{packed.data(), packed.size(), 0};
  while (input.pos < input.size) {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    const size_t result = ZSTD_decompressStream(stream, &output, &input);
    if (ZSTD_isError(result)) throw InvalidInput(path + ": " + ZSTD_getErrorName(result));
    text.append(buffer.data(), output.pos);
  }
  ZSTD_freeDStream(stream);
  std::vector<std::string> lines;
  std::istringstream reader(text);
  for (std::string line; std::getline(reader, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> split(const std::string& line, const std::string& separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end; (end = line.find(separator, begin)) != std::string::npos; begin = end + separator.size())
    parts.push_back(line.substr(begin, end - begin));
  parts.push_back(line.substr(begin));
  return parts;
}

int32_t DatasetBuilder::item(const std::string& id) {
  const auto [found, added] = items_.emplace(id, static_cast<int32_t>(data_.item_ids.size()));
  if (added) data_.item_ids.push_back(id);
  return found->second;
}

void DatasetBuilder::add(const std::string& task, const std::string& item_id, float target, int8_t role,
                         int32_t group) {
  if (data_.task_ids.empty() || data_.task_ids.back() != task) {
    data_.task_begin.push_back(data_.rows());
    data_.task_ids.push_back(task);
    data_.task_split.emplace_back();
  }
  data_.item.push_back(item(item_id));
  data_.task.push_back(static_cast<int32_t>(data_.task_ids.size()) - 1);
  data_.target.push_back(target);
  data_.weight.push_back(1);
  data_.time.push_back(0);
  data_.kind.push_back(0);
  data_.role.push_back(role);
  data_.group.push_back(group >= 0 ? group : static_cast<int32_t>(data_.rows() - 1 - data_.task_begin.back()));
  data_.source.push_back(data_.rows() - 1);
}

void DatasetBuilder::add_bags(const std::string& name, const std::vector<std::vector<std::string>>& bags) {
  auto offsets = std::make_shared<std::vector<int64_t>>(1, 0);
  auto ids = std::make_shared<std::vector<int32_t>>();
  std::unordered_map<std::string, int32_t> vocabulary;
  for (const auto& bag : bags) {
    for (const auto& word : bag)
      ids->push_back(vocabulary.emplace(word, static_cast<int32_t>(vocabulary.size())).first->second);
    offsets->push_back(static_cast<int64_t>(ids->size()));
  }
  Column column;
  column.name = name;
  column.vocabulary = static_cast<int32_t>(vocabulary.size());
  column.offsets = *offsets;
  column.ids = *ids;
  data_.item_features.rows = static_cast<int64_t>(bags.size());
  data_.item_features.columns.push_back(column);
  data_.item_features.storage.push_back(offsets);
  data_.item_features.storage.push_back(ids);
}

Dataset DatasetBuilder::finish() {
  data_.task_begin.push_back(data_.rows());
  data_.kinds = {""};
  return std::move(data_);
}

Dataset melu_split() {
  const std::string folder = data_folder("movielens-1m");
  DatasetBuilder builder;
  auto lines = read_lines(folder + "/melu_split.tsv.zst");
  // Rows of a (cell, user) pair together, support before query.
  struct Row {
    std::string task, item;
    float rating;
    int8_t role;
    int rank;
  };
  std::vector<Row> rows;
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto f = split(lines[i], "\t");
    rows.push_back({f[0] + "\x1f" + f[1], f[2], std::stof(f[3]),
                    static_cast<int8_t>(f[4] == "support" ? 1
                                        : f[4] == "query" ? 2
                                                          : 0),
                    std::stoi(f[5])});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    if (a.task != b.task) return a.task < b.task;
    if (a.role != b.role) return a.role < b.role;
    return a.rank < b.rank;
  });
  for (const auto& row : rows) builder.add(row.task, row.item, row.rating, row.role);

  std::unordered_map<std::string, std::vector<std::string>> movies;
  for (const auto& line : read_lines(folder + "/movies_extrainfos.dat.zst")) {
    auto f = split(line, "::");
    if (f.size() >= 9) movies[f[0]] = f;
  }
  Dataset peek = builder.finish();
  std::vector<std::vector<std::string>> genre, director, actor, rate;
  for (const auto& id : peek.item_ids) {
    const auto found = movies.find(id);
    const bool known = found != movies.end();
    const auto bag = [&](int column) {
      return known ? split(found->second[column], ", ") : std::vector<std::string>{};
    };
    rate.push_back(known ? std::vector<std::string>{found->second[3]} : std::vector<std::string>{});
    genre.push_back(bag(5));
    director.push_back(bag(6));
    actor.push_back(bag(8));
  }
  DatasetBuilder features;
  for (const auto& id : peek.item_ids) features.item(id);
  features.add_bags("items.genres", genre);
  features.add_bags("items.director", director);
  features.add_bags("items.actors", actor);
  features.add_bags("items.rate", rate);
  peek.item_features = features.finish().item_features;
  for (int64_t t = 0; t < peek.tasks(); ++t) peek.task_split[t] = split(peek.task_ids[t], "\x1f")[0];
  return peek;
}

Dataset movielens(uint64_t seed) {
  const auto lines = read_lines(data_folder("movielens-1m") + "/ratings.tsv.zst");
  std::vector<std::vector<std::pair<std::string, float>>> users;
  std::vector<std::string> names;
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto f = split(lines[i], "\t");
    if (names.empty() || names.back() != f[0]) {
      names.push_back(f[0]);
      users.emplace_back();
    }
    users.back().emplace_back(f[1], std::stof(f[2]));
  }
  DatasetBuilder builder;
  Random random(seed);
  for (size_t u = 0; u < users.size(); ++u) {
    Random own = random.fork(u);
    own.shuffle(users[u]);
    for (const auto& [item, rating] : users[u]) builder.add(names[u], item, rating);
  }
  return builder.finish();
}

TaskRows all_rows(const Dataset& data, int32_t task) {
  TaskRows rows{task, std::vector<int32_t>(data.task_begin[task + 1] - data.task_begin[task])};
  std::iota(rows.rows.begin(), rows.rows.end(), static_cast<int32_t>(data.task_begin[task]));
  return rows;
}

std::vector<SupportRow> support_of(const Dataset& data, const std::vector<int32_t>& rows) {
  std::vector<SupportRow> support;
  for (int32_t row : rows)
    support.push_back({data.item[row], data.target[row], data.weight[row], 0, data.group[row], data.kind[row]});
  return support;
}

RatingErrors rating_errors(const Member& member, const Dataset& data, const std::vector<Episode>& episodes, float low,
                           float high) {
  RatingErrors errors;
  const auto workspace = member.workspace();
  double square = 0, standard = 0;
  int64_t rows = 0;
  for (const auto& episode : episodes) {
    const auto support = support_of(data, episode.support);
    member.adapt({support, {}}, *workspace);
    std::vector<int32_t> items;
    for (int32_t row : episode.query) items.push_back(data.item[row]);
    std::vector<float> score(items.size()), variance(items.size());
    member.score(*workspace, items, score, variance);
    double absolute = 0;
    std::vector<int> order(items.size());
    std::iota(order.begin(), order.end(), 0);
    std::vector<float> truth;
    for (size_t q = 0; q < items.size(); ++q) {
      truth.push_back(data.target[episode.query[q]]);
      const double error = std::clamp(score[q], low, high) - truth[q];
      absolute += std::abs(error);
      square += error * error;
      if (variance[q] > 0) standard += error * error / variance[q];
      ++rows;
    }
    errors.mae += absolute / static_cast<double>(items.size()) / static_cast<double>(episodes.size());
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return score[a] > score[b]; });
    std::sort(truth.begin(), truth.end(), std::greater<>());
    double gain = 0, ideal = 0;
    for (int r = 0; r < 3 && r < static_cast<int>(order.size()); ++r) {
      gain += (std::exp2(data.target[episode.query[order[r]]]) - 1) / std::log2(r + 2);
      ideal += (std::exp2(truth[r]) - 1) / std::log2(r + 2);
    }
    errors.ndcg3 += gain / ideal / static_cast<double>(episodes.size());
  }
  errors.rmse = std::sqrt(square / static_cast<double>(rows));
  errors.calibration = standard / static_cast<double>(rows);
  return errors;
}

double ranking_ndcg(const Member& member, const Dataset& data, const std::vector<Episode>& episodes, int k,
                    bool exclude_seen) {
  const auto workspace = member.workspace();
  std::vector<float> score(data.items());
  std::vector<int32_t> order(data.items());
  double total = 0;
  for (const auto& episode : episodes) {
    const auto support = support_of(data, episode.support);
    member.adapt({support, {}}, *workspace);
    member.score_all(*workspace, score);
    if (exclude_seen)
      for (const auto& row : support) score[row.item] = -1e30f;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(),
                      [&](int32_t a, int32_t b) { return score[a] != score[b] ? score[a] > score[b] : a < b; });
    std::vector<uint8_t> relevant(data.items(), 0);
    for (int32_t row : episode.query) relevant[data.item[row]] = 1;
    double gain = 0, ideal = 0;
    for (int r = 0; r < k; ++r) {
      if (relevant[order[r]]) gain += 1 / std::log2(r + 2);
      if (r < static_cast<int>(episode.query.size())) ideal += 1 / std::log2(r + 2);
    }
    total += gain / ideal;
  }
  return total / static_cast<double>(episodes.size());
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace fewshop::testing
