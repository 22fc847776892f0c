#pragma once

#include <memory>
#include <optional>

#include "learner/episodic_member.h"
#include "runtime/encoder.h"
#include "runtime/task_head.h"

namespace fewshop::learning {

/// The two halves of a runtime form: the trained network, and the head that adapts.
struct EncodedHalves {
  std::unique_ptr<Encoder> encoder;
  std::unique_ptr<TaskHead> head;
};

/// Nothing where the learner with its options, or its network, has no such form.
std::optional<EncodedHalves> encoded_parts(const EpisodicRecipe& recipe, const EpisodicModel& model);

}  // namespace fewshop::learning
