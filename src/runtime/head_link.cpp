#include "runtime/head_link.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "runtime/gauss_hermite.h"
#include "runtime/member_support.h"

namespace fewshop {
namespace {

void pairwise_softmax(std::span<const double> link, std::span<const double> covariance, std::vector<double>& p) {
  const size_t n = link.size();
  double total = 0;
  for (size_t c = 0; c < n; ++c) {
    double sum = 0;
    for (size_t j = 0; j < n; ++j) {
      const double variance =
          covariance[c * n + c] + covariance[j * n + j] - covariance[c * n + j] - covariance[j * n + c];
      sum += std::exp(-(link[c] - link[j]) / std::sqrt(1 + std::numbers::pi / 8 * std::max(0.0, variance)));
    }
    total += p[c] = 1 / sum;
  }
  for (double& x : p) x /= total;
}

Family family_of(const std::string& name) {
  const auto family = family_from_name(name);
  require(family.has_value(), "head: unknown family '", name, "'; the file is damaged");
  return *family;
}

}  // namespace

void HeadLink::predict(std::span<const double> link, Predictive& out) const {
  if (glm.family != Family::kCategorical) return glm.predict(link[0], 0, out);
  out.family = Family::kCategorical;
  out.probability.resize(link.size());
  softmax(link, out.probability);
}

void HeadLink::predict(std::span<const double> link, std::span<const double> covariance, Predictive& out) const {
  const auto& rule = link_rule();
  out.family = glm.family;
  if (glm.family == Family::kCategorical) {
    out.probability.resize(link.size());
    return pairwise_softmax(link, covariance, out.probability);
  }
  const double deviation = std::sqrt(std::max(0.0, covariance[0]));
  if (glm.family == Family::kBernoulli) {
    out.mean = 0;
    for (size_t k = 0; k < rule.node.size(); ++k)
      out.mean += rule.weight[k] * sigmoid(link[0] + deviation * rule.node[k]);
  } else if (glm.family == Family::kOrdinal) {
    const size_t cuts = glm.threshold.size();
    out.probability.assign(cuts + 1, 0.0);
    for (size_t k = 0; k < rule.node.size(); ++k) {
      const double eta = link[0] + deviation * rule.node[k];
      double below = 0;
      for (size_t c = 0; c <= cuts; ++c) {
        const double upto = c == cuts ? 1 : sigmoid(glm.threshold[c] - eta);
        out.probability[c] += rule.weight[k] * (upto - below);
        below = upto;
      }
    }
  } else {
    glm.predict(link[0], covariance[0], out);
  }
}

void HeadLink::save(TensorFile& file, const std::string& prefix) const {
  file.put_text(prefix + "family", std::string(family_name(glm.family)));
  file.put(prefix + "link", std::vector<double>{static_cast<double>(outputs), glm.variance, glm.size});
  file.put(prefix + "threshold", glm.threshold);
}

HeadLink HeadLink::load(const TensorFile& file, const std::string& prefix) {
  HeadLink link;
  const Family family = family_of(file.text(prefix + "family"));
  link.glm.family = family;
  const auto numbers = file.get<double>(prefix + "link");
  require(numbers.size() == 3, "head: tensor link has ", numbers.size(), " values, expected 3; the file is damaged");
  link.glm.threshold = file.get<double>(prefix + "threshold");
  link.glm.variance = numbers[1];
  link.glm.size = numbers[2];
  const bool fits = family == Family::kCategorical        ? numbers[0] >= 2 && numbers[0] <= 1e6
                    : family == Family::kGaussian         ? numbers[0] == 1 && numbers[1] > 0
                    : family == Family::kNegativeBinomial ? numbers[0] == 1 && numbers[2] > 0
                                                          : numbers[0] == 1;
  const auto& cuts = link.glm.threshold;
  require(fits && (family != Family::kOrdinal || !cuts.empty()) && std::is_sorted(cuts.begin(), cuts.end()),
          "head: outputs, variance, size or thresholds make no sense; the file is damaged");
  link.outputs = static_cast<int32_t>(numbers[0]);
  return link;
}

}  // namespace fewshop
