#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "learner/episodic_model.h"

namespace fewshop::learning {

// Axes: T tasks, S rows of a task, O outputs of the likelihood.

/// What learners around one base network share: the network, the likelihood, and how outputs become answers.
///
/// Trained tensors are named "network.<name>" and "likelihood.<name>"; a learner's own come behind them.
class NetworkModel : public EpisodicModel {
 public:
  Distribution predict(const Adapted& adapted, const Rows& query) const final;
  std::vector<Parameter> parameters() const final;

 protected:
  /// `outputs` of the network: 0 = those of the likelihood. Link values are offset + scale * outputs. Throws
  /// InvalidInput for what make_network refuses.
  NetworkModel(const nlohmann::json& encoder, const EpisodicProblem& problem, int64_t outputs, const Random& random,
               double scale = 1);

  /// Outputs of rows for adapted tasks, their offset not added: [T, S, O].
  virtual Tensor output(const Adapted& adapted, const Rows& rows) const = 0;

  /// Adds to parameters(); `value` must live as long as the model.
  void add_parameter(std::string name, Tensor value, Tensor decay = {});

  /// -log p of every row [T, S] given outputs that do not hold the offset yet; `beside` as in Likelihood.
  Tensor row_loss(const Tensor& output, const Rows& rows) const;
  /// Weighted mean of row_loss over the rows of each task: [T]; 0 without rows.
  Tensor task_loss(const Tensor& output, const Rows& rows) const;

  const nn::Network& network() const { return *network_; }
  const Likelihood& likelihood() const { return likelihood_; }
  std::span<const Tensor> weights() const { return weights_; }  // of the network
  std::span<const Tensor> beside() const { return beside_; }    // of the likelihood

 private:
  Tensor link(const Tensor& output, const Rows& rows) const;

  double scale_;
  std::unique_ptr<const nn::Network> network_;
  Likelihood likelihood_;
  std::vector<Tensor> weights_, beside_;
  std::vector<Parameter> own_;
};

/// What outputs count in: the deviation of targets that are numbers, so that networks and step sizes do not depend on
/// their unit; 1 for other families.
double output_scale(const EpisodicProblem& problem);

/// T, the number of tasks, of support or query.
int64_t task_count(const Rows& rows);

}  // namespace fewshop::learning
