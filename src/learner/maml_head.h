#pragma once

#include "learner/maml.h"

namespace fewshop::learning {

/// maml that adapts the head alone, and so has a runtime form (runtime/gradient_head.h).
class MamlHead final : public Maml, public HasTaskHead {
 public:
  using Maml::Maml;

  const nn::Network& encoder() const override { return network(); }
  std::vector<Tensor> encoder_parameters() const override { return {weights().begin(), weights().end()}; }
  std::unique_ptr<TaskHead> task_head() const override;
};

}  // namespace fewshop::learning
